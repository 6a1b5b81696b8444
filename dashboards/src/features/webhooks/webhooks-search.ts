import { someText, wholeNumber } from "../../lib/search-params";

/** The webhook whose deliveries are shown, as in the address. */
interface WebhooksSearch {
  open?: string;
  page?: number;
}

export function webhooksSearch(raw: Record<string, unknown>): WebhooksSearch {
  const page = wholeNumber(raw.page, 1);
  return { open: someText(raw.open), page: page === 1 ? undefined : page };
}
