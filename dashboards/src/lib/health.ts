import { queryOptions, useQuery } from "@tanstack/react-query";
import { api } from "./api";
import type { Health } from "./api-types";
import { problemOf, problemOfFailure } from "./problem";

/** Whether all is well behind the API, and what is wrong if it is not: a 503 has the same body. */
const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: async ({ signal }): Promise<Health> => {
    const { data, error, response } = await api.GET("/api/health", { signal }).catch((failure) => {
      throw problemOfFailure(failure);
    });
    if (data) return data;
    if (error && "checks" in error) return error;
    throw problemOf(response, error);
  },
  retry: false,
});

export const useHealth = () => useQuery(healthQuery);
