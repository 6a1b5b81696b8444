import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { useKeys } from "./keys";

function Keys({ pressed, isOn = true }: { pressed: string[]; isOn?: boolean }) {
  useKeys({ j: () => pressed.push("j"), "?": () => pressed.push("?") }, isOn);
  return (
    <>
      <input aria-label="text" />
      <input type="checkbox" aria-label="box" />
      <textarea aria-label="note" />
      <div role="dialog">
        <button type="button">in a dialog</button>
      </div>
      <button type="button">on the page</button>
    </>
  );
}

it("keys fire on the page, and never while somebody types or a dialog is open", async () => {
  const user = userEvent.setup();
  const pressed: string[] = [];
  render(<Keys pressed={pressed} />);
  await user.keyboard("j?");
  await user.click(screen.getByRole("checkbox", { name: "box" }));
  await user.keyboard("j");
  await user.click(screen.getByRole("button", { name: "on the page" }));
  await user.keyboard("j");
  expect(pressed).toEqual(["j", "?", "j", "j"]);
  for (const name of ["text", "note"]) await user.type(screen.getByRole("textbox", { name }), "j?");
  await user.click(screen.getByRole("button", { name: "in a dialog" }));
  await user.keyboard("j");
  await user.click(screen.getByRole("button", { name: "on the page" }));
  await user.keyboard("{Control>}j{/Control}{Alt>}j{/Alt}k");
  expect(pressed).toEqual(["j", "?", "j", "j"]);
});

it("no key fires while they are off", async () => {
  const pressed: string[] = [];
  const { rerender } = render(<Keys pressed={pressed} isOn={false} />);
  await userEvent.keyboard("j");
  rerender(<Keys pressed={pressed} />);
  await userEvent.keyboard("?");
  expect(pressed).toEqual(["?"]);
});

it("no key fires at a browser where single keys are switched off", async () => {
  localStorage.setItem("tutorq-keys", "false");
  const pressed: string[] = [];
  render(<Keys pressed={pressed} />);
  await userEvent.keyboard("j?");
  expect(pressed).toEqual([]);
  localStorage.removeItem("tutorq-keys");
});
