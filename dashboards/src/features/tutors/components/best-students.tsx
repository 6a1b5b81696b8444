import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { Risk } from "../../../components/risk";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import { compatible } from "../../../lib/format";
import { studentName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { useBestStudents } from "../api/get-best-students";

interface BestStudentsProps {
  tutorId: string;
  subjects: string[];
  /** Whether a concern about the tutor is raised. */
  attention: boolean;
}

/** Students whom the tutor would suit. */
export function BestStudents({ tutorId, subjects, attention }: BestStudentsProps) {
  const matches = useBestStudents(tutorId);
  return (
    <Panel
      title="Best-matching students"
      note={
        attention
          ? "Resolve the raised concern before adding students"
          : subjects.length > 0
            ? `Students of ${subjects.join(", ")}`
            : "This tutor has no subjects: all students match"
      }
      flush
    >
      <QueryBoundary query={matches} skeleton={<Skeleton height={160} m="md" w="auto" />}>
        {({ data }) =>
          data.length === 0 ? (
            <EmptyState title="No student fits">
              No active student of these subjects has a prediction for this tutor.
            </EmptyState>
          ) : (
            <RowList>
              {data.map((match) => (
                <li key={match.student_id}>
                  <Link to="/matching" search={{ student: match.student_id, tutor: tutorId }} className={ROW}>
                    <RowContent
                      title={studentName(match)}
                      badge={
                        <Risk of="leaving" level={match.risk_level} probability={match.churn_probability} />
                      }
                      detail={`${compatible(match.compatibility_score)} · ${subjectOf(match.subjects)}`}
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
