import { Button, Skeleton, VisuallyHidden } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Bar } from "../../../components/bar";
import { ConcernBadges } from "../../../components/concern-badges";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { Risk } from "../../../components/risk";
import { Tag, type Tone } from "../../../components/tag";
import type {
  Alternative,
  Contribution,
  MatchExplanation,
  Mismatch,
  PairPrediction,
} from "../../../lib/api-types";
import { useIsLead, useMayChangeTutor } from "../../../lib/auth";
import { compatible, counted, dayOf, percent, trimmed, words } from "../../../lib/format";
import { studentName, tutorName } from "../../../lib/person-name";
import { asRead } from "../../../lib/sentences";
import { useMatchExplanation, usePrediction } from "../api/predictions";
import { freePlaces } from "../free-places";
import classes from "./match-panel.module.css";
import { PreferencesDialog, type Whose } from "./preferences-dialog";

/** Of a pair of whom no preference is known. */
const UNKNOWN = "not known";

interface MatchPanelProps {
  studentId: string;
  tutorId: string;
  /** Ranks and alternatives are among its tutors only; without it, of all subjects that the two may share. */
  subject: string | undefined;
  onChooseTutor: (tutorId: string) => void;
}

/** What is predicted for two people, why, and who else would do. */
export function MatchPanel({ studentId, tutorId, subject, onChooseTutor }: MatchPanelProps) {
  const prediction = usePrediction(studentId, tutorId, subject);
  const explanation = useMatchExplanation(studentId, tutorId, subject);
  return (
    <div className={classes.stack}>
      <Panel>
        <QueryBoundary query={prediction} skeleton={<Skeleton height={150} />}>
          {({ data }) => <Prediction pair={data} />}
        </QueryBoundary>
      </Panel>
      <QueryBoundary query={explanation} skeleton={<Skeleton height={360} radius={10} />}>
        {({ data }) =>
          data.explanation && (
            <Explained explanation={data.explanation} subject={subject} onChooseTutor={onChooseTutor} />
          )
        }
      </QueryBoundary>
    </div>
  );
}

function Prediction({ pair }: { pair: PairPrediction }) {
  const [whose, edit] = useState<Whose | null>(null);
  const isLead = useIsLead();
  const mayEditTutor = useMayChangeTutor(pair.tutor_id);
  const student = studentName({ ...pair, name: pair.student_name });
  const tutor = tutorName({ ...pair, name: pair.tutor_name, external_id: null });
  return (
    <>
      <div className={classes.head}>
        <h2 className={classes.names}>
          {student} <span aria-hidden="true">→</span>
          <VisuallyHidden>with</VisuallyHidden>{" "}
          <Link to="/tutors/$tutorId" params={{ tutorId: pair.tutor_id }}>
            {tutor}
          </Link>
        </h2>
        <Risk of="leaving" level={pair.risk_level} rank={pair.rank} rankOf={pair.rank_of} />
      </div>
      <ConcernBadges concerns={pair.tutor_concerns} />
      <p className={classes.risk}>
        <strong>{percent(pair.churn_probability, { digits: 0 })}</strong>{" "}
        {pair.sessions_together === 0
          ? `chance that ${student} leaves after the first session`
          : `leaving risk predicted for a first session; ${student} and ${tutor} have had ${counted(pair.sessions_together, "session")}`}
      </p>
      <p className={classes.held}>
        <Risk of="let-down" level={pair.tutor_let_down_level} probability={pair.tutor_let_down_probability} />{" "}
        {pair.tutor_let_down_level && "that the tutor moves, cancels or misses a session"}
      </p>
      <div className={classes.fit}>
        <span id="fit">Compatibility</span>
        <div
          role="progressbar"
          aria-labelledby="fit"
          aria-valuenow={Math.round((pair.compatibility_score ?? 0) * 100)}
          aria-valuetext={percent(pair.compatibility_score, { digits: 0, none: UNKNOWN })}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <Bar fraction={pair.compatibility_score} />
        </div>
        <strong>{percent(pair.compatibility_score, { digits: 0, none: UNKNOWN })}</strong>
      </div>
      <div className={classes.foot}>
        <span className={classes.model}>
          {pair.model.kind === "model"
            ? `Predicted by a model, trained ${dayOf(pair.model.trained_at)}`
            : "Predicted by fixed rules"}
          {isLead && ` (${pair.model.version})`}
        </span>
        {mayEditTutor && (
          <span className={classes.edits}>
            {isLead && (
              <Button size="compact-xs" variant="default" onClick={() => edit("student")}>
                Edit student
              </Button>
            )}
            <Button size="compact-xs" variant="default" onClick={() => edit("tutor")}>
              Edit tutor
            </Button>
          </span>
        )}
      </div>
      <PreferencesDialog
        whose={whose}
        studentId={pair.student_id}
        tutorId={pair.tutor_id}
        onClose={() => edit(null)}
      />
    </>
  );
}

interface ExplainedProps {
  explanation: MatchExplanation;
  subject: string | undefined;
  onChooseTutor: (tutorId: string) => void;
}

function Explained({ explanation, subject, onChooseTutor }: ExplainedProps) {
  const taught = subject ?? "a shared subject";
  const byModel = explanation.source === "model";
  return (
    <>
      <Panel
        title="Why"
        actions={
          <Tag
            tone="none"
            icon={byModel ? "wand" : undefined}
            label={byModel ? "Text by a language model" : "Text from fixed rules"}
          />
        }
      >
        <blockquote className={classes.text}>
          <strong>For the student</strong>
          <p>{asRead(explanation.for_student)}</p>
          <strong>For the tutor</strong>
          <p>{asRead(explanation.for_tutor)}</p>
        </blockquote>
      </Panel>
      <div className={classes.pair}>
        <Panel title="Differences" note="Student’s and tutor’s preferences">
          <ul className={classes.bars}>
            {explanation.mismatches.map((mismatch) => (
              <MismatchBar key={mismatch.name} mismatch={mismatch} />
            ))}
          </ul>
        </Panel>
        <Panel title="Risk factors" note="Bars to the right increase the leaving risk">
          <Contributions all={explanation.contributions} />
        </Panel>
      </div>
      <Panel title="Alternatives" note={`Tutors of ${taught} with a free place and lower risk`} flush>
        {explanation.alternatives.length === 0 ? (
          <p className={classes.none}>No better tutor of {taught} with a free place found.</p>
        ) : (
          <ul className={classes.alternatives}>
            {explanation.alternatives.map((alternative) => (
              <AlternativeRow key={alternative.tutor_id} alternative={alternative} onChoose={onChooseTutor} />
            ))}
          </ul>
        )}
      </Panel>
    </>
  );
}

const SEVERITY: Record<NonNullable<Mismatch["severity"]>, { label: string; tone?: Tone }> = {
  none: { label: "no difference" },
  low: { label: "small", tone: "ok" },
  medium: { label: "medium", tone: "watch" },
  high: { label: "large", tone: "high" },
};

function MismatchBar({ mismatch }: { mismatch: Mismatch }) {
  const { label, value, max, severity } = mismatch;
  return (
    <li>
      <div className={classes.line}>
        <span>{label}</span>
        <span className={classes.dim}>{severity ? SEVERITY[severity].label : UNKNOWN}</span>
      </div>
      <Bar fraction={(value ?? 0) / max} tone={SEVERITY[severity ?? "none"].tone} />
    </li>
  );
}

const SHOWN_CONTRIBUTIONS = 6;
/** In log-odds: less moves the probability by less than anybody could see. */
const LEAST_CONTRIBUTION = 0.005;

function Contributions({ all }: { all: Contribution[] }) {
  const moving = all.filter(({ contribution }) => !(Math.abs(contribution) < LEAST_CONTRIBUTION));
  if (moving.length === 0) return <p className={classes.dim}>No factor changes the risk of this pair.</p>;
  return (
    <ul className={classes.bars}>
      {moving.slice(0, SHOWN_CONTRIBUTIONS).map((contribution) => (
        <ContributionBar key={contribution.feature} contribution={contribution} all={moving} />
      ))}
    </ul>
  );
}

function ContributionBar({ contribution, all }: { contribution: Contribution; all: Contribution[] }) {
  const most = Math.max(...all.map((one) => Math.abs(one.contribution)).filter(Number.isFinite), 0.01);
  const share = (Math.abs(contribution.contribution) / most) * 50;
  const raises = contribution.contribution > 0;
  return (
    <li>
      <div className={classes.line}>
        <span>
          {words(contribution.label)}: {trimmed(contribution.value)}
        </span>
        <span className={classes.dim}>{raises ? "raises risk" : "lowers risk"}</span>
      </div>
      <div className={classes.balance} data-raises={raises}>
        <div style={{ left: raises ? "50%" : `${50 - share}%`, width: `${share}%` }} />
      </div>
    </li>
  );
}

function AlternativeRow({
  alternative,
  onChoose,
}: {
  alternative: Alternative;
  onChoose: (tutorId: string) => void;
}) {
  const name = tutorName({ ...alternative, external_id: null });
  return (
    <li className={classes.alternative}>
      <span className={classes.alternativeName}>
        {name} <ConcernBadges concerns={alternative.concerns} />
      </span>
      <Risk
        of="leaving"
        level={alternative.risk_level}
        probability={alternative.churn_probability}
        rank={alternative.rank}
        rankOf={alternative.rank_of}
      />
      <span className={classes.alternativeFacts}>
        {compatible(alternative.compatibility_score)} · {freePlaces(alternative.free_capacity)}
      </span>
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Show the pair with ${name}`}
        onClick={() => onChoose(alternative.tutor_id)}
      >
        Show this pair
      </Button>
    </li>
  );
}
