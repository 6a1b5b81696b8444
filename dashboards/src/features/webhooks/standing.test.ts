import { expect, it } from "vitest";
import type { WebhookEndpoint } from "../../lib/api-types";
import { standing, standingDetail } from "./standing";

const webhook: WebhookEndpoint = {
  endpoint_id: "5f0c1d5a-5d0f-4a63-b5c5-a6a0f0d4b7aa",
  host: "example.org",
  description: null,
  kinds: ["case.changed"],
  state: "active",
  disabled_by: null,
  disabled_why: null,
  failing_since: null,
  failures: 0,
  last_accepted_at: null,
  waiting: 0,
  old_secret_until: null,
  created_by: "Ann (person 7)",
  created_at: "2026-01-20T16:05:00Z",
  changed_at: "2026-01-20T16:05:00Z",
};

it.each<[Partial<WebhookEndpoint>, string, RegExp]>([
  [{}, "On", /^$/],
  [{ waiting: 3 }, "On", /^3 waiting$/],
  [{ failing_since: "2026-01-20T16:05:00Z", failures: 4, waiting: 1 }, "Failing", /^since .*, 4 attempts$/],
  [
    { state: "disabled", disabled_by: "person", disabled_why: "switched off by Ann" },
    "Off",
    /^switched off by Ann$/,
  ],
  [{ state: "disabled", disabled_by: "gone", disabled_why: "410" }, "Disabled", /^410$/],
])("%o is %s", (changes, label, detail) => {
  const changed = { ...webhook, ...changes };
  expect(standing(changed).label).toBe(label);
  expect(standingDetail(changed)).toMatch(detail);
});
