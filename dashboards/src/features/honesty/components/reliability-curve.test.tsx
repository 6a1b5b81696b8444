import { MantineProvider } from "@mantine/core";
import { render, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { ReliabilityCurve } from "./reliability-curve";

const band = (from: number, expected: number, share: number, low: number, high: number) => ({
  probability_from: from,
  probability_to: from + 0.1,
  judged: 53,
  probability: 0.7,
  above_share_expected: expected,
  above: 13,
  above_share: share,
  above_share_low: low,
  above_share_high: high,
});

it("calls a forecast wrong only outside the interval of what came", () => {
  const bands = [
    band(0, 0.05, 0.12, 0.07, 0.2),
    band(0.5, 0.55, 0.45, 0.32, 0.58),
    band(0.6, 0.64, 0.24, 0.14, 0.38),
  ];
  render(
    <MantineProvider>
      <ReliabilityCurve bands={bands} threshold={0.15} />
    </MantineProvider>,
  );
  const rows = within(screen.getByRole("table")).getAllByRole("row").slice(1);
  expect(rows.map((row) => row.textContent)).toEqual([
    "0%–10%535%too low12%7%–20%",
    "50%–60%5355%45%32%–58%",
    "60%–70%5364%too high24%14%–38%",
  ]);
});
