import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { ReportSearch } from "../report-search";

export const PAGE_SIZE = 50;

const reportsQuery = ({ kind, state, page = 1 }: ReportSearch) =>
  queryOptions({
    queryKey: ["reports", "list", kind, state, page],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/reports", {
          signal,
          params: {
            query: {
              kind: kind && [kind],
              state: state && [state],
              limit: PAGE_SIZE,
              offset: (page - 1) * PAGE_SIZE,
            },
          },
        }),
      ),
    placeholderData: keepPreviousData,
  });

const reportQuery = (reportId: string) =>
  queryOptions({
    queryKey: ["reports", "one", reportId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/reports/{report_id}", { signal, params: { path: { report_id: reportId } } })),
  });

export const useReports = (search: ReportSearch) => useQuery(reportsQuery(search));
export const useReport = (reportId: string) => useQuery(reportQuery(reportId));
