import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { TutorSearch } from "../tutor-search";
import { conditions } from "./get-tutors";

/** Order and page have no say in what is drawn, and so are not part of the key. */
const funnelQuery = ({ search, risk, subject, active }: TutorSearch) => {
  const query = conditions({ search, risk, subject, active });
  return queryOptions({
    queryKey: ["tutors", "funnel", query],
    queryFn: ({ signal }) => body(api.GET("/api/funnel", { signal, params: { query } })),
    placeholderData: keepPreviousData,
  });
};

export const useFunnel = (search: TutorSearch) => useQuery(funnelQuery(search));
