import { Table } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { CaseConcern, Fact } from "../../../lib/api-types";
import { concernLabel, countedFor } from "../../../lib/concerns";
import { decimal, percent } from "../../../lib/format";

/** The figures of the opening beside today's. What changed by chance, and what by the talk, they do not say. */
export function ThenAndNow({ facts }: { facts: Fact[] }) {
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
        },
        {
          header: "At opening",
          phone: { row: 2, side: "both", isLabelled: true },
          cell: ({ opening }) => figure(opening, "Not raised then"),
          detail: ({ opening }) => opening && countedFor(opening),
        },
        {
          header: "Today",
          phone: { row: 3, side: "both", isLabelled: true },
          cell: ({ now }) => figure(now, "Not counted any more"),
          detail: ({ now }) => now && countedFor(now),
        },
        {
          header: "Status",
          phone: { row: 1, side: "end" },
          cell: ({ is_raised }) =>
            is_raised ? (
              <Tag tone="high" icon="alert" label="Raised" />
            ) : (
              <Tag tone="ok" icon="check" label="Not raised" />
            ),
        },
      ]}
    />
  );
}

/** "about 24%, 18% to 31%" */
function figure(known: CaseConcern | null, none: string): string {
  if (!known) return none;
  const write = (value: number | null) =>
    known.concern === "low_ratings" ? decimal(value, 1) : percent(value, { digits: 0, none: "–" });
  return `about ${write(known.expected)}, ${write(known.low)} to ${write(known.high)}`;
}
