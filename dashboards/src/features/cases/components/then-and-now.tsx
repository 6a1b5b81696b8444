import { Table } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { CaseConcern, Fact } from "../../../lib/api-types";
import { concernLabel, countedFor, SUPERSEDED } from "../../../lib/concerns";
import { decimal, difference, percent, points } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";

/** The figures of the opening beside today's. What changed by chance, and what by the talk, they do not say. */
export function ThenAndNow({ facts, openedOn }: { facts: Fact[]; openedOn: string }) {
  const wasUnreliable = facts.some(({ concern, opening }) => concern === "unreliable" && opening !== null);
  return (
    <Table
      label="At opening and today"
      rows={facts}
      keyOf={({ concern }) => concern}
      isCompact
      columns={[
        {
          header: "Concern",
          isRowHeader: true,
          phone: { row: 1, side: "start" },
          cell: ({ concern }) => concernLabel(concern),
          detail: ({ change }) => change && asRead(change),
        },
        {
          header: "At opening",
          phone: { row: 2, side: "both", isLabelled: true },
          cell: ({ concern, opening, superseded, now }) => {
            if (opening) return counts(opening);
            // It may count by itself by now.
            const wasRaised = concern === "getting_worse" && now?.raised_on && now.raised_on <= openedOn;
            return wasUnreliable && (superseded || wasRaised) ? SUPERSEDED : "Not raised then";
          },
          detail: ({ opening }) => opening && likely(opening, "then"),
        },
        {
          header: "Today",
          phone: { row: 3, side: "both", isLabelled: true },
          cell: ({ now }) => (now ? counts(now) : "Not counted any more"),
          detail: ({ now }) => now && likely(now, "now"),
        },
        {
          header: "Change",
          phone: { row: 4, side: "both", isLabelled: true },
          cell: ({ opening, now }) => (opening && now ? changed(opening, now) : "–"),
        },
        {
          header: "Status",
          phone: { row: 1, side: "end" },
          cell: ({ is_raised, superseded }) =>
            is_raised ? (
              <Tag tone="high" icon="alert" label="Raised" />
            ) : superseded ? (
              <Tag tone="watch" icon="rise" label={SUPERSEDED} />
            ) : (
              <Tag tone="ok" icon="check" label="Not raised" />
            ),
        },
      ]}
    />
  );
}

/** "129 of 798 sessions, 16.2%" */
function counts(known: CaseConcern): string {
  const share = known.concern === "low_ratings" ? decimal(known.raw_rate, 1) : percent(known.raw_rate);
  return `${countedFor(known)}, ${share}`;
}

/** By how much today's raw rate differs from the opening's, "−0.4 pts"; "Unchanged" if both are written alike. */
function changed(opening: CaseConcern, now: CaseConcern): string {
  if (counts(opening) === counts(now)) return "Unchanged";
  if (opening.raw_rate === null || now.raw_rate === null) return "–";
  const by = now.raw_rate - opening.raw_rate;
  return now.concern === "low_ratings" ? difference(by) : points(by);
}

/** "likely from now on: 13% to 28%"; a sudden change is of the moment. */
function likely({ concern, low, high }: CaseConcern, when: "now" | "then"): string {
  const write = (value: number | null) =>
    concern === "low_ratings" ? decimal(value, 1) : percent(value, { digits: 0, none: "–" });
  const since = concern === "getting_worse" ? `right ${when}` : `from ${when} on`;
  return `likely ${since}: ${write(low)} to ${write(high)}`;
}
