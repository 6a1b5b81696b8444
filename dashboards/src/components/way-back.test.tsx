import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from "@tanstack/react-router";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useEffect } from "react";
import { beforeEach, expect, it } from "vitest";
import { BackLink, BackToOne } from "./back-link";
import { noteWays } from "./way-back";

beforeEach(() => sessionStorage.clear());

function Titled({ title, hasList = false }: { title: string; hasList?: boolean }) {
  useEffect(() => {
    document.title = `${title} · tutorq`;
  }, [title]);
  return (
    <>
      <h1>{title}</h1>
      {hasList ? <BackLink list={{ to: "/", label: "All of them" }} /> : <BackToOne />}
    </>
  );
}

function open(at: string) {
  const root = createRootRoute({ component: Outlet });
  const route = (path: string, title: string, hasList = false) =>
    createRoute({
      getParentRoute: () => root,
      path,
      component: () => <Titled title={title} hasList={hasList} />,
    });
  const router = createRouter({
    routeTree: root.addChildren([
      route("/", "Today"),
      route("/cases/$caseId", "Case", true),
      route("/tutors/$tutorId", "Ada Novak", true),
      route("/upcoming", "Upcoming"),
      route("/matching", "Matching"),
    ]),
    history: createMemoryHistory({ initialEntries: [at] }),
  });
  noteWays(router);
  // biome-ignore lint/suspicious/noExplicitAny: this router has pages of its own
  render(<RouterProvider router={router as any} />);
  // biome-ignore lint/suspicious/noExplicitAny: as above
  return router as any;
}

const shows = (title: string) => screen.findByRole("heading", { name: title });

it("leads back to the page as it was, over the next ones of a list", async () => {
  const router = open("/?queue=due&page=2");
  await shows("Today");
  await router.navigate({ to: "/cases/7" });
  await shows("Case");
  await router.navigate({ to: "/cases/8", replace: true });
  await waitFor(() => expect(router.state.location.pathname).toBe("/cases/8"));
  await router.navigate({ to: "/tutors/t-1" });
  await shows("Ada Novak");
  await userEvent.click(screen.getByRole("link", { name: "Case" }));
  await shows("Case");
  expect(router.state.location.pathname).toBe("/cases/8");
  const back = await screen.findByRole("link", { name: "Today" });
  expect(back.getAttribute("href")).toContain("queue=");
  await userEvent.click(back);
  await shows("Today");
  expect(router.state.location.search).toEqual({ queue: "due", page: 2 });
});

it("leads from a list back to the session for which it was opened", async () => {
  const router = open("/upcoming");
  await shows("Upcoming");
  await router.navigate({ to: "/upcoming", search: { session: "s" } });
  await router.navigate({ to: "/matching" });
  await shows("Matching");
  await userEvent.click(await screen.findByRole("link", { name: "Upcoming" }));
  await shows("Upcoming");
  expect(router.state.location.search).toEqual({ session: "s" });
});

it("leads over filters back to the one tutor, and to no list from a list", async () => {
  const router = open("/tutors/t-1");
  await shows("Ada Novak");
  expect(screen.getByRole("link", { name: "All of them" }).getAttribute("href")).toBe("/");
  await router.navigate({ to: "/upcoming", search: { session: "s" } });
  await shows("Upcoming");
  await router.navigate({ to: "/upcoming", search: {} });
  await userEvent.click(await screen.findByRole("link", { name: "Ada Novak" }));
  await shows("Ada Novak");
  await router.navigate({ to: "/" });
  await shows("Today");
  await router.navigate({ to: "/upcoming" });
  await shows("Upcoming");
  expect(screen.queryByRole("link")).toBeNull();
});
