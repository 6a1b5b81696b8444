import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { RiskLevelBadge } from "../../../components/risk-level-badge";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import { percent } from "../../../lib/format";
import { studentName } from "../../../lib/person-name";
import { useBestStudents } from "../api/get-best-students";

/** Students whom the tutor would suit. */
export function BestStudents({ tutorId }: { tutorId: string }) {
  const matches = useBestStudents(tutorId);
  return (
    <Panel title="Matches" note="Students whom this tutor would suit best" flush>
      <QueryBoundary query={matches} skeleton={<Skeleton height={160} m="md" w="auto" />}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState title="Nothing predicted">Predictions are for active tutors and students.</EmptyState>
          ) : (
            <RowList>
              {data.map((match) => (
                <li key={match.student_id}>
                  <Link to="/matching" search={{ student: match.student_id, tutor: tutorId }} className={ROW}>
                    <RowContent
                      title={studentName(match)}
                      badge={<RiskLevelBadge level={match.risk_level} />}
                      detail={`${percent(match.compatibility_score, { digits: 0, none: "unknown" })} fit · ${match.subjects.join(", ")}`}
                    />
                  </Link>
                </li>
              ))}
            </RowList>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}
