import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const attritionQuery = (tutorId: string) =>
  queryOptions({
    // Asked for anew when the tutor's own scores are (live-queries.ts).
    queryKey: ["tutors", "one", tutorId, "attrition"],
    queryFn: ({ signal }) =>
      body(api.GET("/api/tutors/{tutor_id}/attrition", { signal, params: { path: { tutor_id: tutorId } } })),
  });

/** How probable it is that one tutor stops. */
export const useAttrition = (tutorId: string) => useQuery(attritionQuery(tutorId));
