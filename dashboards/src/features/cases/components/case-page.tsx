import { Skeleton } from "@mantine/core";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { BackLink } from "../../../components/back-link";
import { EmptyState } from "../../../components/empty-state";
import { Notice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { QueryBoundary } from "../../../components/query-boundary";
import { useWay } from "../../../components/way-back";
import type { CaseDetail, CaseEvent } from "../../../lib/api-types";
import { useIsLead } from "../../../lib/auth";
import { useKeys } from "../../../lib/keys";
import { tutorName } from "../../../lib/person-name";
import { useCase } from "../api/get-case";
import { useCaseActions } from "../use-case-actions";
import { useMe } from "../use-me";
import { readWorklist } from "../worklist";
import { CaseButtons } from "./case-buttons";
import { type Asked, CaseDialog } from "./case-dialog";
import { CaseFacts } from "./case-facts";
import { CaseNav, NextCase, useCaseNav } from "./case-nav";
import classes from "./case-page.module.css";
import { CaseStanding } from "./case-standing";
import { CaseTimeline } from "./case-timeline";
import { CASE_KEYS, KeysButton, KeysHelp, useKeysHelp } from "./keys-help";
import { PreparePanel } from "./prepare-panel";
import { SaidNotice } from "./said-notice";

const numberOf = (text: string): number | null => (/^[1-9]\d{0,15}$/.test(text) ? Number(text) : null);

interface CasePageProps {
  /** What another feature says of the tutor, above the rest. */
  above?: (subject: CaseDetail) => ReactNode;
}

/** One case: how it stands, what comes next, what to say to the tutor, and what happened so far. */
export function CasePage({ above }: CasePageProps) {
  const caseId = numberOf(useParams({ from: "/cases/$caseId" }).caseId);
  return caseId === null ? <NoSuchCase /> : <KnownCase key={caseId} caseId={caseId} above={above} />;
}

const today = () => ({ to: "/", search: readWorklist()?.search, label: "Today" });

function NoSuchCase() {
  return (
    <Page back={<BackLink list={today()} />} title="Case">
      <EmptyState icon="search" title="Case not found">
        The address must end with a case number.
      </EmptyState>
    </Page>
  );
}

function KnownCase({ caseId, above }: CasePageProps & { caseId: number }) {
  const query = useCase(caseId);
  const known = query.data;
  const help = useKeysHelp();
  return (
    <Page
      back={<BackLink list={today()} />}
      title={known ? `${tutorName(known.tutor)}: case ${known.case_id}` : "Case"}
      note={known && <About known={known} />}
      actions={
        <>
          <CaseNav caseId={caseId} queue={known?.queue} />
          <KeysButton onClick={help.open} />
        </>
      }
    >
      <QueryBoundary query={query} skeleton={<CaseSkeleton />}>
        {(subject) => (
          <>
            {above?.(subject)}
            <Parts subject={subject} isHelp={help.isOpen} onHelp={help.open} />
          </>
        )}
      </QueryBoundary>
      <KeysHelp keys={CASE_KEYS} {...help} />
    </Page>
  );
}

function About({ known }: { known: CaseDetail }) {
  return (
    <span className={classes.about}>
      <CaseStanding subject={known} today={known.today} />
      <Link
        to="/tutors/$tutorId"
        params={{ tutorId: known.tutor.tutor_id }}
        className={`${classes.tutor} ${classes.screen}`}
      >
        To the tutor’s page
      </Link>
    </span>
  );
}

interface PartsProps {
  subject: CaseDetail;
  isHelp: boolean;
  onHelp: () => void;
}

function Parts({ subject, isHelp, onHelp }: PartsProps) {
  const actions = useCaseActions();
  const [asked, ask] = useState<Asked | null>(null);
  const { today } = subject;
  useCaseKeys(subject, actions, ask, onHelp, asked === null && !isHelp);
  const mayCorrect = subject.may_change && !subject.closed_at;
  return (
    <>
      <div className={`${classes.doing} ${classes.screen}`}>
        {subject.suggested_at && !subject.closed_at && (
          <Notice icon="check" isGood>
            No concern is raised any more. Close the case?
          </Notice>
        )}
        <CaseButtons subject={subject} today={today} actions={actions} onAsk={ask} />
      </div>
      <div className={classes.columns}>
        <div className={classes.column}>
          <PreparePanel caseId={subject.case_id} today={today} mayChange={subject.may_change} />
        </div>
        <div className={`${classes.column} ${classes.screen}`}>
          <CaseFacts subject={subject} actions={actions} />
          <CaseTimeline
            caseId={subject.case_id}
            onCorrect={
              mayCorrect ? (event: CaseEvent) => ask({ what: "correct", subject, event }) : undefined
            }
          />
        </div>
      </div>
      <CaseDialog asked={asked} today={today} actions={actions} onClose={() => ask(null)} />
      <SaidNotice
        said={actions.said}
        onClose={() => actions.say(null)}
        action={actions.said?.isGood && <NextCase caseId={subject.case_id} />}
      />
    </>
  );
}

/** The keys of Today, for the one case; and on to the next of the list. */
function useCaseKeys(
  subject: CaseDetail,
  actions: ReturnType<typeof useCaseActions>,
  ask: (asked: Asked) => void,
  onHelp: () => void,
  isOn: boolean,
) {
  const { neighbours, goTo } = useCaseNav(subject.case_id);
  const navigate = useNavigate();
  const known = useWay();
  const isLead = useIsLead();
  const me = useMe();
  const mayAct = subject.may_change && !subject.closed_at;
  useKeys(
    {
      j: () => goTo(neighbours?.next),
      k: () => goTo(neighbours?.previous),
      u: () => (known ? known.goBack() : navigate({ to: "/", search: readWorklist()?.search ?? {} })),
      a: () => {
        if (!mayAct) return;
        if (isLead) ask({ what: "assign", cases: [subject] });
        else if (me && subject.owner?.person_id !== me.person_id) actions.give(subject, me);
      },
      e: () => mayAct && ask({ what: "contact", subject }),
      s: () => mayAct && ask({ what: "snooze", subject }),
      n: () => subject.may_change && ask({ what: "note", subject }),
      "?": onHelp,
    },
    isOn,
  );
}

function CaseSkeleton() {
  return (
    <div className={classes.columns}>
      <Skeleton height={480} radius={10} />
      <Skeleton height={320} radius={10} />
    </div>
  );
}
