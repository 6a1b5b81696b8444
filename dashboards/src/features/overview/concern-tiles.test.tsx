import { MantineProvider } from "@mantine/core";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { ConcernTiles } from "./components/concern-tiles";

const overview = {
  active_tutors: 1_204,
  attention: 7,
  attention_began_today: 2,
  attention_ended_today: 2,
  concerns: [
    { concern: "unreliable" as const, tutors: 4, raised_today: 3, cleared_today: 3 },
    { concern: "no_shows" as const, tutors: 1, raised_today: 0, cleared_today: 0 },
  ],
};

it("says how many came and how many went, also if they are as many", async () => {
  const router = createRouter({
    routeTree: createRootRoute({ component: () => <ConcernTiles overview={overview} /> }),
    history: createMemoryHistory(),
  });
  render(
    <MantineProvider>
      <RouterProvider router={router} />
    </MantineProvider>,
  );
  const tiles = await screen.findAllByRole("link");
  expect(tiles.map(({ textContent }) => textContent?.trim())).toEqual([
    "Needs attention7of 1,204 active tutors · 2 in, 2 out today",
    "Unreliable43 in, 3 out today",
    "No-shows10 in, 0 out today",
  ]);
});
