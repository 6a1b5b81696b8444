/** Why an answer of the API could not be used, in words for the reader. */
export class ApiProblem extends Error {
  constructor(
    /** HTTP status; 0 where there was no answer. */
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** Names the request in the server's log. */
    readonly requestId?: string,
    /** Everything that the API said, for problems that tell more than the rest. */
    readonly members: Readonly<Record<string, unknown>> = {},
  ) {
    super(`${title}. ${detail}`);
    this.name = "ApiProblem";
  }
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** From the body of an answer that is not a success: RFC 9457, or whatever a proxy in between sent. */
export function problemOf(response: Response, body: unknown): ApiProblem {
  const fields = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  return new ApiProblem(
    response.status,
    text(fields.title) ?? `The API answered ${response.status}`,
    wrongFields(fields.errors) ?? text(fields.detail) ?? "The API gave no reason.",
    text(fields.request_id) ?? response.headers.get("X-Request-ID") ?? undefined,
    fields,
  );
}

/** From what a fetch threw. */
export function problemOfFailure(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new ApiProblem(0, "The API is not responding", "The API gave no response within 30 seconds.");
  }
  if (error instanceof SyntaxError) {
    return new ApiProblem(
      0,
      "The API response is unreadable",
      "The response is not JSON. Check any proxy in between.",
    );
  }
  return new ApiProblem(0, "Cannot reach the API", "The API may be restarting, or the network is down.");
}

function wrongFields(errors: unknown): string | undefined {
  if (!Array.isArray(errors) || errors.length === 0) return undefined;
  return errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
}
