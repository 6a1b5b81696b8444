import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { CASES } from "../cached-cases";

const ownersQuery = queryOptions({
  queryKey: [...CASES, "owners"],
  queryFn: ({ signal }) => body(api.GET("/api/cases/owners", { signal })),
});

/** Whom cases can be given to. */
export const useOwners = (enabled = true) => useQuery({ ...ownersQuery, enabled });
