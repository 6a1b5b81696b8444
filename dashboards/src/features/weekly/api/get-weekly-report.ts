import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";

const weeklyReportQuery = (week: string | undefined) =>
  queryOptions({
    queryKey: ["weekly-report", week],
    queryFn: ({ signal }) => body(api.GET("/api/weekly-report", { signal, params: { query: { week } } })),
    placeholderData: keepPreviousData,
  });

/** One week for leads, else the last whole one. */
export const useWeeklyReport = (week: string | undefined) => useQuery(weeklyReportQuery(week));
