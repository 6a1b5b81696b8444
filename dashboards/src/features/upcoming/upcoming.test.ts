import { expect, it } from "vitest";
import type { UpcomingSession } from "../../lib/api-types";
import { parseQuery, writeQuery } from "../../lib/search-params";
import { groups } from "./groups";
import { requestText } from "./request-text";
import { upcomingSearch } from "./upcoming-search";

const session = (day: number, hour: number, student_id: string, student_name: string | null) =>
  ({
    scheduled_time: new Date(2026, 1, day, hour).toISOString(),
    student_id,
    student_name,
  }) as UpcomingSession;

it("sessions of one day of the reader's zone stand together, in their order", () => {
  const sessions = [session(1, 23, "a", "Ada"), session(2, 0, "b", "Bo"), session(2, 23, "a", "Ada")];
  expect(groups(sessions, "day").map(({ title, sessions }) => [title, sessions.length])).toEqual([
    [expect.stringMatching(/^Sunday/), 1],
    [expect.stringMatching(/^Monday/), 2],
  ]);
  expect(groups([], "day")).toEqual([]);
});

it("by risk, sessions stand in one group as they come", () => {
  const sessions = [session(3, 9, "a", "Ada"), session(1, 9, "b", "Bo")];
  expect(groups(sessions, "risk")).toEqual([{ key: "risk", title: "Greatest risk first", sessions }]);
  expect(groups([], "risk")).toEqual([]);
});

it("by tutor, sessions that follow one another stand together, with how many there are", () => {
  const of = (tutor_id: string, tutor_name: string, tutor_sessions: number) => ({
    ...session(1, 9, "a", "Ada"),
    tutor_id,
    tutor_name,
    tutor_sessions,
  });
  const sessions = [of("t", "Tom", 35), of("t", "Tom", 35), of("u", "Una", 1), of("t", "Tom", 35)];
  expect(
    groups(sessions, "tutor").map(({ title, note, sessions }) => [title, note, sessions.length]),
  ).toEqual([
    ["Tom", "35 sessions", 2],
    ["Una", "1 session", 1],
    ["Tom", "35 sessions", 1],
  ]);
});

it("students of one name stay apart, and one without a name has an id", () => {
  const sessions = [
    session(1, 9, "a", "Ada"),
    session(3, 9, "a", "Ada"),
    session(1, 9, "b", "Ada"),
    session(1, 9, "12345678-0000", null),
  ];
  expect(groups(sessions, "student").map(({ title, sessions }) => [title, sessions.length])).toEqual([
    ["Ada · a", 2],
    ["Ada · b", 1],
    ["Student 12345678", 1],
  ]);
});

it("an address survives being written and read, and nonsense in it is left out", () => {
  const search = {
    search: "Ada",
    from: "2026-02-01",
    zone: "Europe/Vienna",
    days: "1",
    risk: "medium",
    team: 3,
    by: "student",
    page: 2,
    session: "S-1",
  };
  expect(upcomingSearch(parseQuery(writeQuery(search)))).toEqual(search);
  const typed = parseQuery(
    "?search=&from=tomorrow&zone=Nowhere&days=7&risk=low&team=mine&by=tutor&page=1&session=",
  );
  expect(Object.values(upcomingSearch(typed)).every((value) => value === undefined)).toBe(true);
});

it("the mail to a stand-in is English, its day too", () => {
  const scheduled_time = new Date(2026, 1, 3, 17, 30).toISOString();
  const { subject, body } = requestText({ subject: "Maths", scheduled_time, minutes: 60 }, { name: "Ada" });
  expect(body).toMatch(
    /\nCould you take this session\? Please reply (today|by Monday,? 2 February), even if you cannot\.$/,
  );
  expect(subject).toMatch(/^Could you stand in on Tuesday,? 3 February 2026 at 17:30 .+\?$/);
  expect(body).toMatch(/a session of Maths on Tuesday,? 3 February 2026 at 17:30/);
  expect(body.match(/UTC/g) ?? []).toHaveLength(body.includes("time zone") ? 0 : 1);
});

it("the mail to a stand-in greets by first name, asks for an answer in time, and is signed", () => {
  const bodyOf = (scheduled_time: string, name: string, sender?: string) =>
    requestText({ subject: null, scheduled_time, minutes: 60 }, { name }, sender).body;
  const later = bodyOf("2999-02-03T12:00:00Z", "Mateo Flores", "Nora Quinn");
  expect(later).toMatch(/^Hello Mateo,\n/);
  expect(later).toMatch(/Please reply by Saturday,? 2 February, even if you cannot\.\n\nNora Quinn$/);
  const now = bodyOf(new Date().toISOString(), "Dr. Ada Novak");
  expect(now).toMatch(/^Hello Dr\. Ada Novak,\n/);
  expect(now).toMatch(/Please reply today, even if you cannot\.$/);
});
