import { Button, Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Icon } from "../../../components/icons";
import { Notice } from "../../../components/notice";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Case } from "../../../lib/api-types";
import { useMayChangeTutor } from "../../../lib/auth";
import { capitalised, dayOf } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import { useOpenCase } from "../api/change-cases";
import { useCasesOf } from "../api/get-cases";
import { REASONS } from "../case-words";
import { refusalInWords, useCaseActions } from "../use-case-actions";
import { CaseButtons } from "./case-buttons";
import { type Asked, CaseDialog } from "./case-dialog";
import { CaseStanding } from "./case-standing";
import classes from "./case-strip.module.css";
import { SaidNotice } from "./said-notice";

/** On a tutor's page: the open case with what comes next, or the way to open one. */
export function CaseStrip({ tutorId }: { tutorId: string }) {
  const cases = useCasesOf(tutorId);
  return (
    <QueryBoundary query={cases} skeleton={<Skeleton height={54} radius={10} />}>
      {({ data, meta }) => {
        const open = data.find(({ closed_at }) => closed_at === null);
        const [last] = data.toSorted((one, other) =>
          (other.closed_at ?? "").localeCompare(one.closed_at ?? ""),
        );
        return open ? (
          <OpenCase subject={open} today={meta.today} />
        ) : (
          <NoCase tutorId={tutorId} last={last} />
        );
      }}
    </QueryBoundary>
  );
}

function OpenCase({ subject, today }: { subject: Case; today: string }) {
  const actions = useCaseActions();
  const [asked, ask] = useState<Asked | null>(null);
  return (
    <section aria-label="Case" className={classes.case}>
      <div className={classes.strip}>
        <div className={classes.standing}>
          <Link to="/cases/$caseId" params={{ caseId: String(subject.case_id) }} className={classes.link}>
            Case {subject.case_id}
          </Link>
          <CaseStanding subject={subject} today={today} />
          {subject.sudden_change && <strong>{capitalised(asRead(subject.sudden_change.words))}</strong>}
          {subject.suggested_at && <strong>No concern is raised any more. Close the case?</strong>}
        </div>
        <CaseButtons subject={subject} today={today} actions={actions} onAsk={ask} isShort />
      </div>
      <CaseDialog asked={asked} today={today} actions={actions} onClose={() => ask(null)} />
      <SaidNotice said={actions.said} onClose={() => actions.say(null)} />
    </section>
  );
}

/** `last`: the one that was closed last. */
function NoCase({ tutorId, last }: { tutorId: string; last: Case | undefined }) {
  const mayOpen = useMayChangeTutor(tutorId);
  const open = useOpenCase();
  if (!mayOpen && !last) return null;
  return (
    <section aria-label="Case" className={classes.case}>
      {open.error && <Notice icon="alert">{refusalInWords(open.error)}</Notice>}
      <div className={classes.strip}>
        <div className={classes.standing}>
          <span>No case is open.</span>
          {last?.reason && (
            <Link to="/cases/$caseId" params={{ caseId: String(last.case_id) }} className={classes.link}>
              Closed on {dayOf(last.closed_at)}: {REASONS[last.reason]}
            </Link>
          )}
        </div>
        {mayOpen && (
          <Button
            size="xs"
            variant="default"
            leftSection={<Icon name="inbox" size={14} />}
            loading={open.isPending}
            onClick={() => open.mutate({ tutor_id: tutorId })}
          >
            Open a case
          </Button>
        )}
      </div>
    </section>
  );
}
