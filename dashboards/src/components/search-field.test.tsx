import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { SearchField } from "./search-field";

it("asks before a link is followed, and not once more after it", async () => {
  const done: string[] = [];
  render(
    <MantineProvider>
      <SearchField label="Tutor" value={undefined} onChange={(text) => done.push(`asked for ${text}`)} />
      <button type="button" onClick={() => done.push("followed")}>
        Ada
      </button>
    </MantineProvider>,
  );
  await userEvent.type(screen.getByRole("searchbox", { name: "Tutor" }), "ada");
  await userEvent.click(screen.getByRole("button", { name: "Ada" }));
  expect(done).toEqual(["asked for ada", "followed"]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(done).toEqual(["asked for ada", "followed"]);
});

it("asks once for what was typed, when no key has followed for a moment", async () => {
  const asked = vi.fn();
  render(
    <MantineProvider>
      <SearchField label="Tutor" value={undefined} onChange={asked} />
    </MantineProvider>,
  );
  await userEvent.type(screen.getByRole("searchbox", { name: "Tutor" }), " ada ");
  await vi.waitFor(() => expect(asked).toHaveBeenCalled());
  expect(asked.mock.calls).toEqual([["ada"]]);
});
