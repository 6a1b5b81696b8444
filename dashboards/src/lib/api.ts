import createClient from "openapi-fetch";
import type { paths } from "./api-types";
import { problemOf, problemOfFailure } from "./problem";
import { markUnreadable, noteUnreadable } from "./unreadable-numbers";

const ANSWER_WITHIN_MS = 30_000;

/**
 * The API, typed by api/openapi.json. Revalidation is the browser's: answers carry an ETag and `no-cache`, so asking
 * again sends If-None-Match by itself, and a 304 comes out of the browser's cache.
 */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  // The API takes changes under a cookie only with this: a page of somebody else cannot send it.
  headers: { "X-Requested-With": "tutorq" },
  fetch: (request: Request) =>
    fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]) }),
});

interface Answered<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/**
 * The body of a successful answer.
 *
 * @throws ApiProblem for everything else, so that a page has one kind of error to show.
 */
export async function body<Data>(request: Promise<Answered<Data>>): Promise<Data> {
  let answered: Answered<Data>;
  try {
    answered = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw problemOfFailure(error);
  }
  if (!answered.response.ok) throw problemOf(answered.response, answered.error);
  noteUnreadable(new URL(answered.response.url).pathname, markUnreadable(answered.data));
  return answered.data as Data;
}
