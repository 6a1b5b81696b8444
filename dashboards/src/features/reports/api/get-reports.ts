import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import type { ReportSearch } from "../report-search";

export const PAGE_SIZE = 50;
export const REPORTS = ["reports"] as const;

/** The filters, as the API names them. */
export const filtersOf = ({ kind, state, to }: ReportSearch) => ({
  kind: kind && [kind],
  state: state && [state],
  recipient: to,
});

const reportsQuery = ({ page = 1, ...search }: ReportSearch) =>
  queryOptions({
    queryKey: [...REPORTS, "list", search.kind, search.state, search.to, page],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/reports", {
          signal,
          params: {
            query: { ...filtersOf(search), limit: PAGE_SIZE, offset: (page - 1) * PAGE_SIZE },
          },
        }),
      ),
    placeholderData: keepPreviousData,
  });

const reportQuery = (reportId: string) =>
  queryOptions({
    queryKey: [...REPORTS, "one", reportId],
    queryFn: ({ signal }) =>
      body(api.GET("/api/reports/{report_id}", { signal, params: { path: { report_id: reportId } } })),
  });

export const useReports = (search: ReportSearch) => useQuery(reportsQuery(search));
export const useReport = (reportId: string) => useQuery(reportQuery(reportId));
