import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { CASES } from "../cached-cases";

const outcomesQuery = (months: number) =>
  queryOptions({
    queryKey: [...CASES, "outcomes", months],
    queryFn: ({ signal }) => body(api.GET("/api/cases/outcomes", { signal, params: { query: { months } } })),
    placeholderData: keepPreviousData,
  });

/** What became of the cases of some months. */
export const useOutcomes = (months: number) => useQuery(outcomesQuery(months));
