import {
  type QueryClient,
  queryOptions,
  skipToken,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { api, body } from "./api";
import type { BrowserSession, LogIn } from "./api-types";
import { ApiProblem } from "./problem";

/** Who is logged in at this browser; null if nobody is. The cookie itself is out of reach of scripts. */
const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<BrowserSession | null> => {
    try {
      return await body(api.GET("/api/auth/session", { signal }));
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) return null;
      throw error;
    }
  },
  refetchInterval: false,
  staleTime: Number.POSITIVE_INFINITY,
});

/** Whether the reader has logged out here. */
const loggedOutQuery = queryOptions<boolean>({ queryKey: ["session", "logged-out"], queryFn: skipToken });

export const useIsLoggedOut = (): boolean => useQuery(loggedOutQuery).data === true;

export const useSession = () => useQuery(sessionQuery);

/** Whether the reader is an admin. The API decides; this and the next two are for what to show. */
export const useIsAdmin = (): boolean => useSession().data?.role === "admin";

/** Whether the reader may change something that is no tutor's. */
export const useIsLead = (): boolean => ["lead", "admin"].includes(useSession().data?.role ?? "");

/** Whether the reader may change something of this tutor: a coach only of their own. */
export function useMayChangeTutor(tutorId: string): boolean {
  const isLead = useIsLead();
  return useSession().data?.tutor_ids?.includes(tutorId) || isLead;
}

/** How people can log in here, besides with a key. */
const methodsQuery = queryOptions({
  queryKey: ["session", "methods"],
  queryFn: ({ signal }) => body(api.GET("/api/auth/methods", { signal })),
  refetchInterval: false,
  staleTime: Number.POSITIVE_INFINITY,
});

export const useLogInMethods = () => useQuery(methodsQuery);

/** Have a link mailed to this address. The API says the same whether anybody is known by it or not. */
export const useAskForLink = () =>
  useMutation({ mutationFn: (email: string) => body(api.POST("/api/auth/link", { body: { email } })) });

/** Log in with a key or the token of a one-time link. */
export function useLogIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (logIn: LogIn) => body(api.POST("/api/auth/session", { body: logIn })),
    onSuccess: (session) => {
      client.setQueryData(loggedOutQuery.queryKey, false);
      client.setQueryData(sessionQuery.queryKey, session);
    },
  });
}

export type LogOutWhere = "here" | "everywhere";

/** Log out. The API has the browser forget what it has kept of the answers. */
export function useLogOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (where: LogOutWhere) => {
      if (where === "everywhere") await body(api.DELETE("/api/auth/sessions"));
      return body(api.DELETE("/api/auth/session"));
    },
    onSuccess: () => {
      client.setQueryData(loggedOutQuery.queryKey, true);
      forget(client);
    },
  });
}

/** Show the log-in page, and keep nothing of what was seen. */
export function forget(client: QueryClient): void {
  client.setQueryData(sessionQuery.queryKey, null);
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
}
