import { expect, it } from "vitest";
import { alertOf, isWanted, type LiveAlert } from "./alerts";
import type { LiveEvent } from "./live";

const tutor = { tutor_id: "00000000-0000-4000-8000-00000000000a", external_id: "T-1", name: "Ada Novak" };
const concern = (kind: string, name: string) =>
  ({ kind, data: { event_id: "e", tutor, concern: name, events: 12, trials: 45 } }) as unknown as LiveEvent;

it("is told of who missed a session, and of who is suddenly worse", () => {
  const missed = {
    kind: "session.alert",
    data: { event_id: "m", tutor, subject: "Maths", scheduled_time: "2026-01-31T10:00:00Z" },
  } as unknown as LiveEvent;
  expect(alertOf(missed)?.text).toBe("Ada Novak missed a session");
  expect(alertOf(missed)?.detail).toMatch(/^Maths, /);
  const worse = alertOf(concern("tutor.concern_raised", "getting_worse"));
  expect(worse?.text).toBe("Ada Novak: suddenly worse");
  expect(worse?.detail).toBe("12 of 45 sessions let down in 90 days");
});

it("is not told of anything else", () => {
  expect(alertOf(concern("tutor.concern_raised", "unreliable"))).toBeUndefined();
  expect(alertOf(concern("tutor.concern_cleared", "getting_worse"))).toBeUndefined();
  expect(alertOf({ kind: "heartbeat", data: {} })).toBeUndefined();
});

it.each([
  [null, false, true],
  [[], false, true],
  [[tutor.tutor_id], false, true],
  [["somebody else"], false, false],
  [["somebody else"], true, true],
])("with the team %j, and all wanted %s: %s", (team, wantsAll, expected) => {
  expect(isWanted({ tutor } as LiveAlert, team, wantsAll)).toBe(expected);
});
