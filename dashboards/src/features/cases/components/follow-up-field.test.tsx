import { MantineProvider } from "@mantine/core";
import { fireEvent, render, screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import type { CaseDetail } from "../../../lib/api-types";
import { day } from "../../../lib/format";
import { FollowUpField } from "./follow-up-field";

function open(due_on: string | null) {
  const onSave = vi.fn();
  const field = (subject: Partial<CaseDetail>) => (
    <MantineProvider env="test">
      <FollowUpField subject={subject as CaseDetail} isDisabled={false} onSave={onSave} />
    </MantineProvider>
  );
  const { rerender } = render(field({ due_on, today: "2026-11-29" }));
  const input = screen.getByLabelText("Follow-up on") as HTMLInputElement;
  input.focus();
  return { onSave, input, become: (due: string) => rerender(field({ due_on: due, today: "2026-11-29" })) };
}

const type = (input: HTMLInputElement, value: string) => fireEvent.change(input, { target: { value } });

it("saves with Enter, once, and keeps the focus", () => {
  const { onSave, input, become } = open("2026-12-01");
  type(input, "2026-12-05");
  fireEvent.keyDown(input, { key: "Enter" });
  become("2026-12-05");
  expect(document.activeElement).toBe(input);
  fireEvent.blur(input);
  expect(onSave.mock.calls).toEqual([["2026-12-05"]]);
});

it("tells which days there are, and puts back with Escape", () => {
  const { onSave, input } = open("2026-12-01");
  type(input, "2026-11-28");
  fireEvent.blur(input);
  expect(screen.getByText(`Choose ${day("2026-11-29")} or later`)).toBeTruthy();
  fireEvent.keyDown(input, { key: "Escape" });
  expect(input.value).toBe("2026-12-01");
  expect(screen.queryByText(/Choose/)).toBeNull();
  expect(onSave).not.toHaveBeenCalled();
});

it("shows what somebody else has set, also a day that is over", () => {
  const { onSave, input, become } = open("2026-11-01");
  fireEvent.blur(input);
  become("2026-12-24");
  expect(input.value).toBe("2026-12-24");
  type(input, "");
  fireEvent.keyDown(input, { key: "Enter" });
  expect(onSave.mock.calls).toEqual([[null]]);
});
