import { expect, it } from "vitest";
import { ofOneVersion } from "./versions";

const answer = (refreshed_at: string) => ({ meta: { generation: 7, refreshed_at } });

it("asks again while scores changed between answers", async () => {
  const rounds = [
    ["10:00", "10:01"],
    ["10:01", "10:01"],
    ["never", "asked"],
  ];
  const answers = await ofOneVersion(async () => (rounds.shift() ?? []).map(answer));
  expect(answers.map(({ meta }) => meta.refreshed_at)).toEqual(["10:01", "10:01"]);
});

it("does not wait for ever", async () => {
  let asked = 0;
  const answers = await ofOneVersion(async () => [answer(`${++asked}`), answer(`${++asked}`)]);
  expect(answers.map(({ meta }) => meta.refreshed_at)).toEqual(["5", "6"]);
});
