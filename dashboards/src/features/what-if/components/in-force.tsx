import { Button } from "@mantine/core";
import { EmptyState } from "../../../components/empty-state";
import { ErrorNotice } from "../../../components/notice";
import { Panel } from "../../../components/panel";
import { type Column, Table } from "../../../components/table";
import type { AppliedSettings, Scoring, ScoringSetting } from "../../../lib/api-types";
import { useIsAdmin } from "../../../lib/auth";
import { moment } from "../../../lib/format";
import { useRevert } from "../api/what-if";
import { inWords } from "../values";

/** Who applied what, and the way back. */
export function InForce({ known }: { known: Scoring }) {
  const isAdmin = useIsAdmin();
  const revert = useRevert();
  const newest = known.history[0];
  const isReverted = newest === undefined || Object.keys(newest.settings).length === 0;
  return (
    <Panel
      title="Applied settings"
      note="Each takes effect with the next run"
      actions={
        isAdmin &&
        !isReverted && (
          <Button variant="default" loading={revert.isPending} onClick={() => revert.mutate()}>
            Restore configured settings
          </Button>
        )
      }
      flush
    >
      {revert.error && <ErrorNotice text={revert.error.message} />}
      {newest === undefined ? (
        <EmptyState title="No settings applied">Scores use the configured settings.</EmptyState>
      ) : (
        <Table
          label="Applied settings"
          rows={known.history}
          keyOf={(row) => row.settings_id}
          columns={columns(known.settings)}
        />
      )}
    </Panel>
  );
}

const columns = (settings: readonly ScoringSetting[]): Column<AppliedSettings>[] => [
  {
    header: "When",
    isRowHeader: true,
    overflow: "nowrap",
    phone: { row: 1, side: "start" },
    cell: ({ applied_at }) => moment(applied_at),
    detail: ({ applied_by }) => applied_by,
  },
  {
    header: "Differs from configured",
    phone: { row: 2, side: "both" },
    cell: (row) => listed(row, settings),
    detail: ({ note }) => note,
  },
];

function listed({ settings: applied }: AppliedSettings, settings: readonly ScoringSetting[]): string {
  const parts = settings
    .filter(({ name }) => name in applied)
    .map(({ name, label, unit }) => `${label} ${inWords(applied[name], unit)}`);
  return parts.length > 0 ? parts.join(" · ") : "None: all as configured";
}
