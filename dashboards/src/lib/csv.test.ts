import { expect, it } from "vitest";
import { csv } from "./csv";

it("quotes what would break a table, and disarms what a spreadsheet would run", () => {
  const text = csv(
    ["name", "rate"],
    [
      ['Ann "A", B', 0.5],
      ["=HYPERLINK(1)", null],
      [["a", "b"], Number.NaN],
      ["x\ny", -1],
    ],
  );
  expect(text).toBe('\uFEFFname,rate\r\n"Ann ""A"", B",0.5\r\n\'=HYPERLINK(1),\r\na; b,\r\n"x\ny",-1\r\n');
});
