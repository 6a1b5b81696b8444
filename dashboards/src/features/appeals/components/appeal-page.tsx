import { Button, Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { BackLink } from "../../../components/back-link";
import { EmptyState } from "../../../components/empty-state";
import { Notice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { Tag } from "../../../components/tag";
import type { AppealDetail, AppealSession } from "../../../lib/api-types";
import { day, moment } from "../../../lib/format";
import { tutorName, withoutNumber } from "../../../lib/person-name";
import { useAppeal } from "../api/appeals";
import { happenedTo, REASONS, REMEDIES, standing, subjectOf } from "../appeal-words";
import classes from "./appeal-page.module.css";
import { DecideDialog } from "./decide-dialog";

const ALL = { to: "/appeals", label: "Appeals" };

/** One appeal: what the tutor says, what the record says, and the decision. */
export function AppealPage() {
  const { appealId } = useParams({ from: "/appeals/$appealId" });
  if (!/^[1-9]\d{0,15}$/.test(appealId)) {
    return (
      <Page back={<BackLink list={ALL} />} title="Appeal">
        <EmptyState icon="search" title="Appeal not found" />
      </Page>
    );
  }
  return <KnownAppeal key={appealId} appealId={Number(appealId)} />;
}

function KnownAppeal({ appealId }: { appealId: number }) {
  const query = useAppeal(appealId);
  const known = query.data;
  return (
    <Page
      back={<BackLink list={ALL} />}
      title={known ? `${tutorName(known.tutor)}: appeal ${known.appeal_id}` : "Appeal"}
      note={known && <About appeal={known} />}
    >
      <QueryBoundary query={query} skeleton={<Skeleton height={320} radius={10} />}>
        {(appeal) => <Parts appeal={appeal} />}
      </QueryBoundary>
    </Page>
  );
}

function About({ appeal }: { appeal: AppealDetail }) {
  return (
    <span className={classes.about}>
      <Tag {...standing(appeal)} />
      {appeal.state === "open" && <span>Answer by {day(appeal.due_on)}</span>}
      <Link to="/tutors/$tutorId" params={{ tutorId: appeal.tutor.tutor_id }} className={classes.link}>
        To the tutor’s page
      </Link>
      {appeal.case_id !== null && (
        <Link to="/cases/$caseId" params={{ caseId: String(appeal.case_id) }} className={classes.link}>
          To case {appeal.case_id}
        </Link>
      )}
    </span>
  );
}

function Parts({ appeal }: { appeal: AppealDetail }) {
  const [asked, ask] = useState<"granted" | "declined" | null>(null);
  return (
    <div className={classes.parts}>
      {appeal.may_decide && (
        <div className={classes.buttons}>
          <Button size="xs" onClick={() => ask("granted")}>
            Grant
          </Button>
          <Button size="xs" variant="default" onClick={() => ask("declined")}>
            Decline
          </Button>
        </div>
      )}
      {appeal.why_not && <Notice icon="lock">{appeal.why_not}</Notice>}
      <Panel
        title="What the tutor says"
        note={`${REASONS[appeal.reason]} · sent ${moment(appeal.created_at)}`}
      >
        {appeal.text === null ? (
          <p className={classes.quiet}>{notShown(appeal)}</p>
        ) : (
          <blockquote className={classes.quote}>{appeal.text}</blockquote>
        )}
        {appeal.created_by !== "tutor" && (
          <p className={classes.quiet}>Sent for the tutor by {withoutNumber(appeal.created_by)}.</p>
        )}
      </Panel>
      <Panel title={subjectOf(appeal)}>
        {appeal.appealed.length > 0 ? (
          <ul className={classes.sessions}>
            {appeal.appealed.map((session) => (
              <Session key={session.session_id} session={session} isSettled={appeal.state !== "open"} />
            ))}
          </ul>
        ) : (
          <p className={classes.quiet}>About the concern as a whole. See the tutor’s page.</p>
        )}
      </Panel>
      {appeal.state !== "open" && <Outcome appeal={appeal} />}
      <DecideDialog appeal={appeal} decision={asked} onClose={() => ask(null)} />
    </div>
  );
}

const notShown = ({ forgotten_at }: AppealDetail): string =>
  forgotten_at
    ? `Deleted ${moment(forgotten_at)}.`
    : "Hidden from the role read: coaches, leads and admins can read the text.";

function Session({ session, isSettled }: { session: AppealSession; isSettled: boolean }) {
  return (
    <li className={classes.session}>
      <strong>{moment(session.scheduled_time, "A deleted session")}</strong>
      <span className={classes.quiet}>
        {happenedTo(session)}
        {session.subject && ` · ${session.subject}`}
        {session.external_id && ` · ${session.external_id}`}
      </span>
      {session.remedy ? (
        <Tag tone="ok" icon="check" label={REMEDIES[session.remedy]} />
      ) : (
        isSettled && <span className={classes.quiet}>Unchanged</span>
      )}
    </li>
  );
}

function Outcome({ appeal }: { appeal: AppealDetail }) {
  if (appeal.state === "withdrawn")
    return <p className={classes.quiet}>Withdrawn {moment(appeal.settled_at)}.</p>;
  return (
    <Panel title="Answer" note={`${appeal.decided_by ?? "Somebody"}, ${moment(appeal.settled_at)}`}>
      <blockquote className={classes.quote}>{appeal.answer ?? notShown(appeal)}</blockquote>
    </Panel>
  );
}
