// @vitest-environment jsdom
import { HttpResponse, http } from "msw";
import { describe, expect, it } from "vitest";
import { at, server, serving } from "../testing/server";
import { api, body } from "./api";

serving();
const ask = () => body(api.GET("/api/overview"));

describe("an answer that is no success", () => {
  it("is told in the API's own words", async () => {
    const problem = {
      type: "about:blank",
      title: "Busy",
      status: 503,
      detail: "Come back.",
      request_id: "r-1",
    };
    server.use(http.get(at("/api/overview"), () => HttpResponse.json(problem, { status: 503 })));
    await expect(ask()).rejects.toMatchObject({
      status: 503,
      title: "Busy",
      detail: "Come back.",
      requestId: "r-1",
    });
  });

  it("names the fields that are wrong", async () => {
    const errors = [{ field: "limit", message: "Input should be less than 500" }];
    server.use(
      http.get(at("/api/overview"), () => HttpResponse.json({ title: "Not valid", errors }, { status: 400 })),
    );
    await expect(ask()).rejects.toMatchObject({ detail: "limit: Input should be less than 500" });
  });

  it("may come from a proxy that knows nothing of problems", async () => {
    server.use(
      http.get(at("/api/overview"), () => HttpResponse.html("<h1>Bad gateway</h1>", { status: 502 })),
    );
    await expect(ask()).rejects.toMatchObject({ status: 502, title: "The API answered 502" });
  });

  it("may be no answer at all, or none that can be read", async () => {
    server.use(http.get(at("/api/overview"), () => HttpResponse.error()));
    await expect(ask()).rejects.toMatchObject({ status: 0, title: "Cannot reach the API" });
    server.use(http.get(at("/api/overview"), () => HttpResponse.html("<h1>Hotel log-in</h1>")));
    await expect(ask()).rejects.toMatchObject({ status: 0, title: "The API response is unreadable" });
  });
});

it("every request says that it comes from this page", async () => {
  let proof: string | null = null;
  server.use(
    http.delete(at("/api/auth/session"), ({ request }) => {
      proof = request.headers.get("X-Requested-With");
      return new HttpResponse(null, { status: 204 });
    }),
  );
  await body(api.DELETE("/api/auth/session"));
  expect(proof).toBe("tutorq");
});
