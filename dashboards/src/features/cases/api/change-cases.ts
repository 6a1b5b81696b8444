import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type {
  Case,
  CaseDetail,
  CaseList,
  CasePatch,
  CasePost,
  ContactPost,
  NotePost,
  Owner,
  Withdrawal,
} from "../../../lib/api-types";
import { useSession } from "../../../lib/auth";
import { ApiProblem } from "../../../lib/problem";
import { CASES, changed, type Listed } from "../cached-cases";

const MUTATION = { mutationKey: CASES } as const;
const listsOf = (client: QueryClient) => client.getQueriesData<CaseList>({ queryKey: [...CASES, "list"] });
export const caseKey = (caseId: number) => [...CASES, "one", caseId] as const;

/** Shows what is to be expected before the API has answered. Returns how to take it back. */
async function foresee(
  client: QueryClient,
  change: ReadonlyMap<number, Partial<Case>>,
  me: number | null,
): Promise<() => void> {
  // An answer under way would put back what is shown now.
  await client.cancelQueries({ queryKey: CASES });
  const before = [
    ...listsOf(client),
    ...[...change.keys()].map((id) => [caseKey(id), client.getQueryData(caseKey(id))] as const),
  ];
  show(client, change, me);
  return () => {
    for (const [key, data] of before) client.setQueryData(key, data);
  };
}

function show(client: QueryClient, change: ReadonlyMap<number, Partial<Case>>, me: number | null): void {
  for (const [key, list] of listsOf(client)) {
    if (list) client.setQueryData(key, changed({ query: key[2] as Listed["query"], list }, change, me));
  }
  for (const [id, changes] of change) {
    client.setQueryData<CaseDetail>(caseKey(id), (known) => known && { ...known, ...changes });
  }
}

/** The rest follows from the API, once nothing else is on its way there. */
function askAgain(client: QueryClient): void {
  if (client.isMutating(MUTATION) <= 1) client.invalidateQueries({ queryKey: CASES });
}

/** The case as it is now, in the answer to a change that came too late. */
export const caseNow = (error: Error | null): CaseDetail | undefined =>
  error instanceof ApiProblem && error.status === 409
    ? (error.members.case as CaseDetail | undefined)
    : undefined;

interface Change<Body> {
  seen: Case;
  body: Omit<Body, "version">;
  /** What the case is expected to look like. */
  foreseen?: Partial<Case>;
}

function useChange<Body>(send: (caseId: number, body: Body) => Promise<{ data: CaseDetail }>) {
  const client = useQueryClient();
  const me = useSession().data?.person_id ?? null;
  return useMutation({
    ...MUTATION,
    mutationFn: ({ seen, body }: Change<Body>) =>
      send(seen.case_id, { ...body, version: seen.version } as Body),
    onMutate: ({ seen, foreseen = {} }) => foresee(client, new Map([[seen.case_id, foreseen]]), me),
    onSuccess: ({ data }) => {
      client.setQueryData(caseKey(data.case_id), data);
      show(client, new Map([[data.case_id, data]]), me);
    },
    onError: (error, _, takeBack) => {
      takeBack?.();
      const now = caseNow(error);
      if (!now) return;
      client.setQueryData(caseKey(now.case_id), now);
      show(client, new Map([[now.case_id, now]]), me);
    },
    onSettled: () => askAgain(client),
  });
}

const path = (case_id: number) => ({ params: { path: { case_id } } });

/** Owner, priority, state, snooze, day of the follow-up. */
export const useChangeCase = () =>
  useChange<CasePatch>((caseId, patch) =>
    body(api.PATCH("/api/cases/{case_id}", { ...path(caseId), body: patch })),
  );

export const useLogContact = () =>
  useChange<ContactPost>((caseId, contact) =>
    body(api.POST("/api/cases/{case_id}/contacts", { ...path(caseId), body: contact })),
  );

/** Take a contact back that never was. */
export function useWithdrawContact(eventId: number) {
  return useChange<Withdrawal>((case_id, withdrawal) =>
    body(
      api.POST("/api/cases/{case_id}/contacts/{event_id}/withdrawal", {
        params: { path: { case_id, event_id: eventId } },
        body: withdrawal,
      }),
    ),
  );
}

export function useAddNote() {
  const client = useQueryClient();
  return useMutation({
    ...MUTATION,
    mutationFn: ({ caseId, note }: { caseId: number; note: NotePost }) =>
      body(api.POST("/api/cases/{case_id}/notes", { ...path(caseId), body: note })),
    onSettled: () => askAgain(client),
  });
}

export function useOpenCase() {
  const client = useQueryClient();
  return useMutation({
    ...MUTATION,
    mutationFn: (wanted: CasePost) => body(api.POST("/api/cases", { body: wanted })),
    onSuccess: ({ data }) => client.setQueryData(caseKey(data.case_id), data),
    onSettled: () => askAgain(client),
  });
}

/** Give cases to one person, or to nobody. */
export function useAssignCases() {
  const client = useQueryClient();
  const me = useSession().data?.person_id ?? null;
  return useMutation({
    ...MUTATION,
    mutationFn: ({ cases, owner }: { cases: Case[]; owner: Owner | null }) =>
      body(
        api.POST("/api/cases/assign", {
          body: {
            cases: cases.map(({ case_id, version }) => ({ case_id, version })),
            owner_id: owner?.person_id ?? null,
          },
        }),
      ),
    onMutate: ({ cases, owner }) =>
      foresee(client, new Map(cases.map((seen) => [seen.case_id, owned(seen, owner)])), me),
    onError: (_, __, takeBack) => takeBack?.(),
    onSuccess: ({ data }, { cases, owner }, takeBack) => {
      // Rows that are gone from a list cannot be put back one by one.
      if (data.some(({ outcome }) => outcome !== "assigned")) takeBack();
      const given = new Map<number, Partial<Case>>();
      for (const { case_id, outcome, version } of data) {
        const seen = cases.find((each) => each.case_id === case_id);
        if (seen && version !== null && outcome === "assigned")
          given.set(case_id, { ...owned(seen, owner), version });
      }
      show(client, given, me);
    },
    onSettled: () => askAgain(client),
  });
}

/** A case in somebody's hands, or in nobody's. */
export function owned(seen: Case, owner: Owner | null): Partial<Case> {
  const isUntouched = seen.state === "new" || seen.state === "assigned";
  return { owner, ...(isUntouched && { state: owner ? "assigned" : "new" }) };
}
