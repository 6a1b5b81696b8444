import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const platformQuery = queryOptions({
  queryKey: ["overview", "platform"],
  queryFn: ({ signal }) => body(api.GET("/api/platform", { signal })),
});

/** All tutors together: notice, and who needs attention week by week. */
export const usePlatform = () => useQuery(platformQuery);
