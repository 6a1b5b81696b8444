import { Skeleton } from "@mantine/core";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { Risk } from "../../../components/risk";
import type { AttritionFactor, TutorAttrition } from "../../../lib/api-types";
import { count, counted, day } from "../../../lib/format";
import { useAttrition } from "../api/get-attrition";
import classes from "./attrition.module.css";

/** What the version begins with where no model was learnt. The formula is not calibrated, so its figure is not shown. */
const RULES = "rules-";

/** Whether the tutor may stop, and what speaks for it and against. For coaches: the tutor's own page has none of it. */
export function Attrition({ tutorId }: { tutorId: string }) {
  const attrition = useAttrition(tutorId);
  return (
    <Panel title="May stop teaching" note="Within 60 days">
      <QueryBoundary query={attrition} skeleton={<Skeleton height={120} />}>
        {({ data, meta }) =>
          data ? (
            <Known attrition={data} />
          ) : !meta.is_predicted ? (
            <EmptyState title="Predictions are not made yet">
              The first ones follow the first scores by some minutes.
            </EmptyState>
          ) : (
            <EmptyState title="Not predicted">
              A prediction needs an active tutor with 4 sessions in 8 weeks.
            </EmptyState>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}

function Known({ attrition }: { attrition: TutorAttrition }) {
  const { sessions_28d, sessions_28d_before, days_since_session, planned_sessions_14d } = attrition;
  const isByRules = attrition.model_version.startsWith(RULES);
  const facts = [
    sessions_28d !== null &&
      sessions_28d_before !== null &&
      `${counted(sessions_28d, "session")} in 4 weeks, ${count(sessions_28d_before)} in the 4 before`,
    days_since_session !== null &&
      (days_since_session === 0
        ? "last session that day"
        : `${counted(days_since_session, "day")} without a session`),
    planned_sessions_14d !== null && `${count(planned_sessions_14d)} planned for 2 weeks`,
  ];
  return (
    <div className={classes.attrition}>
      <Risk
        of="stopping"
        level={attrition.level}
        probability={isByRules ? undefined : attrition.stop_probability}
      />
      <p className={classes.facts}>
        A reason to talk, not a verdict.
        {isByRules && " A fixed formula decides until a model is trained on your data."}
      </p>
      <p className={classes.facts}>
        {facts.filter(Boolean).join(" · ")} (as of {day(attrition.as_of)}; days on which the whole platform
        paused do not count)
      </p>
      <Factors title="Raises the risk" factors={attrition.factors.filter(({ effect }) => effect > 0)} />
      <Factors title="Lowers the risk" factors={attrition.factors.filter(({ effect }) => effect < 0)} />
    </div>
  );
}

function Factors({ title, factors }: { title: string; factors: AttritionFactor[] }) {
  return (
    factors.length > 0 && (
      <p>
        <span className={classes.title}>{title}:</span> {factors.map(({ label }) => label).join("; ")}
      </p>
    )
  );
}
