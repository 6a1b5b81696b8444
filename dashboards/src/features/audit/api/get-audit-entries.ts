import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { api, body } from "../../../lib/api";
import { beginningOf } from "../../../lib/search-params";
import type { AuditSearch } from "../audit-search";

export const PAGE_SIZE = 50;

/** The filters, as the API names them. */
export const filtersOf = ({ actor, action, from, to }: AuditSearch) => ({
  actor,
  action: action && [action],
  since: beginningOf(from),
  until: beginningOf(to, 1),
});

const auditQuery = ({ page = 1, ...search }: AuditSearch) =>
  queryOptions({
    queryKey: ["audit", search.actor, search.action, search.from, search.to, page],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/audit", {
          signal,
          params: {
            query: { ...filtersOf(search), limit: PAGE_SIZE, offset: (page - 1) * PAGE_SIZE },
          },
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** The audit log is for admins: others do not ask for it. */
export const useAuditEntries = (search: AuditSearch, isAdmin: boolean) =>
  useQuery({ ...auditQuery(search), enabled: isAdmin });
