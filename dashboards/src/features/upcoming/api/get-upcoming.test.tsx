import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import type { ReactNode } from "react";
import { expect, it } from "vitest";
import { at, server, serving } from "../../../testing/server";
import type { UpcomingSearch } from "../upcoming-search";
import { useUpcoming } from "./get-upcoming";

serving();

function wrapper() {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
}

/** What the page asks for, one query of the API after the other, where the API has sessions only before `end`. */
async function asked(
  search: UpcomingSearch,
  end: string,
  asOf = new Date().toISOString(),
): Promise<URLSearchParams[]> {
  const queries: URLSearchParams[] = [];
  server.use(
    http.get(at("/api/sessions/upcoming"), ({ request }) => {
      const query = new URL(request.url).searchParams;
      queries.push(query);
      const total = (query.get("since") ?? "") < end ? 3 : 0;
      return HttpResponse.json({ data: [], meta: { total, as_of: asOf.slice(0, 10) } });
    }),
  );
  const { result } = renderHook(() => useUpcoming(search), { wrapper: wrapper() });
  await waitFor(() => expect(result.current.data).toBeDefined());
  return queries;
}

/** The first moment of a day of the reader's zone, `days` after that of `start`. */
function midnight(start: Date, days: number): string {
  return new Date(start.getFullYear(), start.getMonth(), start.getDate() + days).toISOString();
}

it("begins with what is still to begin, and with all there is where that is past", async () => {
  const [now, ...others] = await asked({}, "9999");
  expect(others).toEqual([]);
  const early = Date.now() - Date.parse(now?.get("since") ?? "");
  expect(early).toBeGreaterThanOrEqual(0);
  expect(early).toBeLessThan(60_000);
  expect(now?.get("until")).toBe(midnight(new Date(now?.get("since") ?? ""), 7));
  expect(now?.get("sort_by")).toBe("let_down_probability");
  expect(await asked({ by: "student" }, "2020")).toHaveLength(1);
  const queries = await asked({ by: "student" }, "2020", "2019-12-31");
  expect(queries.map((query) => query.has("until"))).toEqual([true, false, true]);
  expect(queries[2]?.get("since")).toBe(midnight(new Date(2019, 11, 31), 0));
  expect(queries[2]?.get("sort_by")).toBe("student_name");
  expect(queries[2]?.get("until")).toBe(midnight(new Date(2019, 11, 31), 7));
});

it("stays with the next days where the search alone finds nothing", async () => {
  const queries: URLSearchParams[] = [];
  server.use(
    http.get(at("/api/sessions/upcoming"), ({ request }) => {
      const query = new URL(request.url).searchParams;
      queries.push(query);
      return HttpResponse.json({
        data: [],
        meta: { total: query.has("search") ? 0 : 3, as_of: "2019-12-31" },
      });
    }),
  );
  const { result } = renderHook(() => useUpcoming({ search: "Ada" }), { wrapper: wrapper() });
  await waitFor(() => expect(result.current.data).toBeDefined());
  expect(result.current.data?.from).toBeUndefined();
  expect(queries.map((query) => query.get("search"))).toEqual(["Ada", null]);
});

it("asks for a day of another zone", async () => {
  const search = { from: "2026-03-29", days: "1", zone: "Europe/Vienna" } as const;
  const [query] = await asked(search, "9999");
  expect(query?.get("since")).toBe("2026-03-28T23:00:00.000Z");
  expect(query?.get("until")).toBe("2026-03-29T22:00:00.000Z");
  const [west] = await asked({ ...search, zone: "America/Los_Angeles", days: undefined }, "9999");
  expect(west?.get("since")).toBe("2026-03-29T07:00:00.000Z");
  expect(west?.get("until")).toBe("2026-04-05T07:00:00.000Z");
});

it("asks for what the address says", async () => {
  const [query, ...others] = await asked({ from: "2026-02-01", risk: "medium", team: 3, page: 3 }, "9999");
  expect(others).toEqual([]);
  expect(query?.get("since")).toBe(new Date("2026-02-01T00:00:00").toISOString());
  expect(query?.getAll("risk_level")).toEqual(["medium", "high"]);
  expect(query?.get("team_of")).toBe("3");
  expect(query?.get("offset")).toBe("100");
  expect(query?.get("until")).toBe(midnight(new Date(2026, 1, 1), 7));
});

it("asks for one day, for all there are, and for first sessions by their own risk", async () => {
  const from = "2026-02-01";
  const [oneDay] = await asked({ from, days: "1", by: "day" }, "9999");
  expect(oneDay?.get("until")).toBe(midnight(new Date(2026, 1, 1), 1));
  expect(oneDay?.get("sort_by")).toBe("scheduled_time");
  const [all] = await asked({ from, days: "all", first: "yes" }, "9999");
  expect(all?.has("until")).toBe(false);
  expect(all?.get("sort_by")).toBe("first_session_risk");
});
