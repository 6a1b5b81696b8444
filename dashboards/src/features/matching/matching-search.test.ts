import { expect, it } from "vitest";
import { withStudent } from "./matching-search";

it("lets go of the tutor and the subject that were chosen for another student", () => {
  const change = withStudent({ student: "s-1", tutor: "t-1", subject: "maths", needs: "yes" }, "s-2");
  expect(change).toEqual({ student: "s-2", tutor: undefined, subject: undefined });
});

it("keeps a tutor who was chosen first, and all there is for the same student", () => {
  expect(withStudent({ tutor: "t-1" }, "s-1")).toEqual({ student: "s-1" });
  expect(withStudent({ student: "s-1", tutor: "t-1" }, "s-1")).toEqual({ student: "s-1" });
});
