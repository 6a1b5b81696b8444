import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const caseEffectQuery = queryOptions({
  queryKey: ["cases", "effect"],
  queryFn: ({ signal }) => body(api.GET("/api/cases/effect", { signal })),
});

export const useCaseEffect = () => useQuery(caseEffectQuery);
