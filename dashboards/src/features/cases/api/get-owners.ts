import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const ownersQuery = queryOptions({
  queryKey: ["case owners"],
  queryFn: ({ signal }) => body(api.GET("/api/cases/owners", { signal })),
});

/** Whom cases can be given to. */
export const useOwners = () => useQuery(ownersQuery);
