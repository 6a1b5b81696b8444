import { MantineProvider } from "@mantine/core";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { StandInLink } from "./stand-in-link";

function show(stand_in_id: string | null, stand_in_name: string | null): void {
  const session = { stand_in_id, stand_in_external_id: null, stand_in_name };
  const routeTree = createRootRoute({ component: () => <StandInLink sessionId="s-1" session={session} /> });
  const router = createRouter({ routeTree, history: createMemoryHistory() });
  render(
    <MantineProvider env="test">
      {/* biome-ignore lint/suspicious/noExplicitAny: this router has one page only */}
      <RouterProvider router={router as any} />
    </MantineProvider>,
  );
}

it("asks for a stand-in while nobody has agreed", async () => {
  show(null, null);
  expect(await screen.findByRole("link", { name: "Find a stand-in" })).toBeTruthy();
  expect(screen.queryByText(/agreed/)).toBeNull();
});

it("names who has agreed, so that nobody asks twice", async () => {
  show("55bbee91-61c8-44ac-a0e2-164f7e4628eb", "Bea Novak");
  expect(await screen.findByText("Bea Novak agreed")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Change stand-in" })).toBeTruthy();
  expect(screen.queryByText("Find a stand-in")).toBeNull();
});
