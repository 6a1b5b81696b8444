import { Skeleton } from "@mantine/core";
import { type ReactNode, useId } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { type Column, Table } from "../../../components/table";
import type { CaseEffect, EffectArm } from "../../../lib/api-types";
import { useIsAdmin } from "../../../lib/auth";
import { count, percent } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import { useCaseEffect } from "../api/effect";
import classes from "./effect-panel.module.css";

/** Whether talks help: by the order that was drawn, and beside what was expected. Never before against after. */
export function EffectPanel() {
  const effect = useCaseEffect();
  return (
    <Panel title="Did it help?" note="Let-downs in the 30 days after opening" flush>
      <QueryBoundary query={effect} skeleton={<Waiting />}>
        {({ data }) => <Effect effect={data} />}
      </QueryBoundary>
    </Panel>
  );
}

function Effect({ effect }: { effect: CaseEffect }) {
  const { drawn, expected, is_drawn, cases_needed } = effect;
  const isAdmin = useIsAdmin();
  const arms = [
    { name: "Talk at once", ...drawn.now },
    { name: "Talk after 30 days", ...drawn.later },
  ];
  const isAnyDrawn = arms.some(({ cases, running }) => cases + running > 0);
  if (!isAnyDrawn && expected.cases === 0) {
    return (
      <EmptyState icon="clock" title="Too few cases to tell yet">
        {is_drawn
          ? `0 of ${cases_needed} followed cases per arm.`
          : `0 of ${cases_needed} followed cases with a talk.`}
      </EmptyState>
    );
  }
  return (
    <div className={classes.answers}>
      {(is_drawn || isAnyDrawn) && (
        <Answer title="By random order" words={drawn.words} isKnown={drawn.rate_ratio !== null}>
          <Table
            label="By random order"
            columns={ARM_COLUMNS}
            rows={arms}
            keyOf={({ name }) => name}
            isCompact
          />
        </Answer>
      )}
      <Answer title="Compared with expected let-downs" words={expected.words} isKnown={expected.low !== null}>
        <p className={classes.note}>
          This comparison does not show cause and effect.
          {!is_drawn && (
            <>
              {" "}
              To measure cause and effect, an admin can have the order of talks drawn at random
              {isAdmin && (
                <>
                  : <code>TUTORQ_RANDOMISE_FOLLOW_UP=true</code>
                </>
              )}
              .
            </>
          )}
        </p>
      </Answer>
    </div>
  );
}

interface AnswerProps {
  title: string;
  words: string;
  /** Whether there is more than a word on what is missing. */
  isKnown: boolean;
  children: ReactNode;
}

function Answer({ title, words, isKnown, children }: AnswerProps) {
  const id = useId();
  return (
    <section className={classes.answer} aria-labelledby={id}>
      <div className={classes.text}>
        <h3 id={id} className={classes.title}>
          {title}
        </h3>
        <p className={classes.words} data-known={isKnown}>
          {asRead(words)}
        </p>
      </div>
      {children}
    </section>
  );
}

type NamedArm = EffectArm & { name: string };

const ARM_COLUMNS: Column<NamedArm>[] = [
  {
    header: "Arm",
    isRowHeader: true,
    cell: ({ name }) => name,
    detail: ({ running }) => running > 0 && `${count(running)} still running`,
  },
  { header: "Cases", align: "right", cell: ({ cases }) => count(cases) },
  { header: "Talked to", align: "right", cell: ({ talked_to }) => count(talked_to) },
  {
    header: "Let-downs",
    align: "right",
    cell: ({ let_down_rate }) => percent(let_down_rate, { none: "–" }),
    detail: ({ sessions, let_downs }) => sessions > 0 && `${count(let_downs)} of ${count(sessions)}`,
  },
];

function Waiting() {
  return (
    <div className={classes.answers}>
      {["drawn", "expected"].map((key) => (
        <div key={key} className={classes.answer}>
          <div className={classes.text}>
            <Skeleton height={16} width="40%" />
            <Skeleton height={14} mt={10} />
            <Skeleton height={14} mt={6} width="80%" />
          </div>
        </div>
      ))}
    </div>
  );
}
