import type { AppealState } from "../../lib/api-types";
import { oneOf, someText, wholeNumber } from "../../lib/search-params";

/** Which appeals are shown, as in the address; open ones unless it says otherwise. */
export interface AppealSearch {
  state?: Exclude<AppealState, "open">;
  search?: string;
  page?: number;
}

export function appealSearch(raw: Record<string, unknown>): AppealSearch {
  const page = wholeNumber(raw.page, 1);
  return {
    state: oneOf(raw.state, ["granted", "declined", "withdrawn"]),
    search: someText(raw.search),
    page: page === 1 ? undefined : page,
  };
}
