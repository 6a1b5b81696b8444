import { Button, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Icon } from "../../../components/icons";
import type { TutorRow } from "../../../lib/api-types";
import { CONCERN_NAMES } from "../../../lib/concerns";
import { downloadCsv } from "../../../lib/csv";
import { METRICS, WINDOWS } from "../../../lib/metrics";
import { allTutors } from "../api/get-tutors";
import { noteExport } from "../api/note-export";
import { concernSort, type TutorSearch } from "../tutor-search";

const COUNTS = WINDOWS.flatMap((days) =>
  METRICS.flatMap(({ name, rate }) => [
    `${name}_${days}d` as const,
    ...(rate === null ? [] : [`${rate}_${days}d` as const]),
  ]),
);
const COLUMNS = [
  "tutor_id",
  "external_id",
  "name",
  "subjects",
  "is_active",
  "as_of",
  "risk_status",
  "risk_status_since",
  "risk_probability",
  "attention",
  "concerns",
  ...CONCERN_NAMES.map(concernSort),
  "let_down_rate_expected",
  "let_down_rate_low",
  "let_down_rate_high",
  ...COUNTS,
  "trend_30d",
  "quality_score",
  "planned_sessions_7d",
  "harm_sessions",
  "harm_students",
  "last_session_at",
] as const satisfies readonly (keyof TutorRow)[];

/** All tutors matching the filters, not only this page of them, as a file under the API's names. */
export function ExportButton({ search, disabled }: { search: TutorSearch; disabled: boolean }) {
  const { mutate, isPending, error } = useMutation({
    mutationFn: async () => {
      const rows = await allTutors(search);
      // Before there is a file, so that no export is missing from the audit log.
      await noteExport(rows.length);
      downloadCsv(`tutors-${rows[0]?.as_of ?? "none"}.csv`, COLUMNS, rows);
    },
  });
  return (
    <>
      {error && (
        <Text role="alert" c="var(--high-text)" size="sm" style={{ alignSelf: "center" }}>
          {error.message}
        </Text>
      )}
      <Button
        variant="default"
        size="xs"
        onClick={() => mutate()}
        loading={isPending}
        disabled={disabled}
        leftSection={<Icon name="download" size={14} />}
      >
        Export CSV
      </Button>
    </>
  );
}
