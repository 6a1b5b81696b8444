import { MantineProvider } from "@mantine/core";
import { render } from "@testing-library/react";
import { expect, it } from "vitest";
import { Risk, type RiskProps } from "./risk";

const textOf = (risk: RiskProps) =>
  render(
    <MantineProvider>
      <p>
        <Risk {...risk} />
      </p>
    </MantineProvider>,
  ).container.querySelector("p")?.textContent;

it("tells pairs of one level apart by probability and rank", () => {
  expect(textOf({ of: "leaving", level: "low", probability: 0.123, rank: 3, rankOf: 1027 })).toBe(
    "Low leaving risk12% · 3rd of 1,027",
  );
  expect(textOf({ of: "leaving", level: "low", probability: 0.124, rank: 4, rankOf: 1027 })).toBe(
    "Low leaving risk12% · 4th of 1,027",
  );
});

it("leaves out what is not known, and says nothing of what is not predicted", () => {
  expect(textOf({ of: "leaving", level: "high", rank: 1, rankOf: 9 })).toBe("High leaving risk1st of 9");
  expect(textOf({ of: "let-down", level: "medium", probability: 0.5 })).toBe("Medium let-down risk50%");
  expect(textOf({ of: "leaving", level: null, probability: null })).toBe("Not predicted");
  expect(textOf({ of: "no-show", level: null, probability: null })).toBe("No-show risk not predicted");
  expect(textOf({ of: "let-down", level: null, probability: null })).toBe("No sessions yet");
});
