import { act, renderHook } from "@testing-library/react";
import { expect, it } from "vitest";
import { between, useSelection } from "./selection";

it("a range goes from one row to the other, in either direction", () => {
  expect(between([7, 5, 9, 2], 9, 7)).toEqual([7, 5, 9]);
  expect(between([7, 5, 9, 2], 5, 2)).toEqual([5, 9, 2]);
  expect(between([7, 5, 9, 2], 4, 5)).toEqual([5]);
});

it("a shift-click selects from the last row on, and takes all of it away again", () => {
  const { result } = renderHook(() => useSelection([7, 5, 9, 2]));
  act(() => result.current.toggle(5));
  act(() => result.current.toggle(2, true));
  expect([...result.current.ids]).toEqual([5, 9, 2]);
  act(() => result.current.toggle(9));
  act(() => result.current.toggle(5, true));
  expect([...result.current.ids]).toEqual([2]);
});

it("what is no longer in the list is not selected", () => {
  const { result, rerender } = renderHook(({ order }) => useSelection(order), {
    initialProps: { order: [7, 5, 9] },
  });
  act(() => result.current.set([7, 9]));
  rerender({ order: [5, 9] });
  expect([...result.current.ids]).toEqual([9]);
});
