import { Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { Icon } from "../../../components/icons";
import { Notice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { QueryBoundary } from "../../../components/query-boundary";
import type { CaseDetail } from "../../../lib/api-types";
import { tutorName } from "../../../lib/person-name";
import { useCase } from "../api/get-case";
import { useCaseActions } from "../use-case-actions";
import { CaseButtons } from "./case-buttons";
import { type Asked, CaseDialog } from "./case-dialog";
import { CaseFacts } from "./case-facts";
import classes from "./case-page.module.css";
import { CaseStanding } from "./case-standing";
import { CaseTimeline } from "./case-timeline";
import { PreparePanel } from "./prepare-panel";
import { SaidNotice } from "./said-notice";

/** One case: how it stands, what comes next, what to say to the tutor, and what happened so far. */
export function CasePage() {
  const caseId = Number(useParams({ from: "/cases/$caseId" }).caseId);
  const query = useCase(caseId);
  const known = query.data;
  return (
    <Page
      back={
        <Link to="/" className={classes.back}>
          <Icon name="back" size={14} /> Today
        </Link>
      }
      title={known ? `${tutorName(known.tutor)}: case ${known.case_id}` : "Case"}
      note={known && <About known={known} />}
    >
      <QueryBoundary query={query} skeleton={<CaseSkeleton />}>
        {(subject) => <Parts subject={subject} />}
      </QueryBoundary>
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

function Parts({ subject }: { subject: CaseDetail }) {
  const actions = useCaseActions();
  const [asked, ask] = useState<Asked | null>(null);
  const { today } = subject;
  return (
    <>
      <div className={`${classes.doing} ${classes.screen}`}>
        <SaidNotice said={actions.said} />
        {subject.suggested_at && !subject.closed_at && (
          <Notice icon="check" isGood>
            Nothing is raised any more: close it?
          </Notice>
        )}
        <CaseButtons subject={subject} today={today} actions={actions} onAsk={ask} />
      </div>
      <div className={classes.columns}>
        <div className={classes.column}>
          <PreparePanel caseId={subject.case_id} />
        </div>
        <div className={`${classes.column} ${classes.screen}`}>
          <CaseFacts subject={subject} actions={actions} />
          <CaseTimeline caseId={subject.case_id} />
        </div>
      </div>
      <CaseDialog asked={asked} today={today} actions={actions} onClose={() => ask(null)} />
    </>
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
