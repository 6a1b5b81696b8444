import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll } from "vitest";

/** An API whose answers a test says itself; anything that it does not name is a mistake. */
export const server = setupServer();

export function serving(): void {
  beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
  afterEach(() => server.resetHandlers());
  afterAll(() => server.close());
}

export const at = (path: string): string => new URL(path, window.location.origin).href;
