import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { ExportLink } from "./export-link";

const link = (query: Record<string, string | string[] | undefined>, disabled = false) => {
  render(
    <MantineProvider>
      <ExportLink path="/api/audit" query={query} disabled={disabled} />
    </MantineProvider>,
  );
  return screen.getByText("Export CSV").closest("a");
};

test("the file has the rows that fit the filters", () => {
  const found = link({ actor: "Ann & Bob", action: ["export", "log_in"], since: undefined });
  expect(found?.getAttribute("href")).toBe(
    "/api/audit?actor=Ann%20%26%20Bob&action=export&action=log_in&format=csv",
  );
  expect(found?.hasAttribute("download")).toBe(true);
});

test("there is no file of nothing", () => {
  expect(link({}, true)?.hasAttribute("href")).toBe(false);
});
