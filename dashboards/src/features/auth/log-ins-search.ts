import { oneOf } from "../../lib/search-params";

/** The address of the page of open log-ins. */
interface LogInsSearch {
  of?: "everybody";
}

export const logInsSearch = (raw: Record<string, unknown>): LogInsSearch => ({
  of: oneOf(raw.of, ["everybody"]),
});
