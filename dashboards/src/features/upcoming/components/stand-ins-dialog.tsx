import { Button, Modal, Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ConcernBadges } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { QueryBoundary } from "../../../components/query-boundary";
import { Risk } from "../../../components/risk";
import { CELL_LINK } from "../../../components/table";
import type { CoveredSession, StandIn, StandInList } from "../../../lib/api-types";
import { count, counted, moment } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { type Arranged, useArranged } from "../api/arrange";
import { useStandIns } from "../api/get-stand-ins";
import { nameOf } from "../groups";
import { Arrange } from "./arrange";
import classes from "./stand-ins-dialog.module.css";

const SHOWN = 10;

interface StandInsDialogProps {
  /** Undefined while the dialog is closed. */
  sessionId: string | undefined;
  onClose: () => void;
}

/** Who could give a planned session in place of its tutor. */
export function StandInsDialog({ sessionId, onClose }: StandInsDialogProps) {
  return (
    <Modal
      opened={sessionId !== undefined}
      onClose={onClose}
      title="Find a stand-in"
      closeButtonProps={{ "aria-label": "Close" }}
      size="lg"
      centered
    >
      {sessionId !== undefined && <StandIns key={sessionId} sessionId={sessionId} />}
    </Modal>
  );
}

function StandIns({ sessionId }: { sessionId: string }) {
  const [limit, setLimit] = useState(SHOWN);
  const standIns = useStandIns(sessionId, limit);
  return (
    <QueryBoundary query={standIns} skeleton={<Skeleton height={320} />}>
      {(list) => (
        <>
          <About session={list.session} total={list.meta.total} />
          {list.data.length === 0 ? (
            <EmptyState icon="person" title="No tutor is free">
              No other tutor of {list.session.subject ?? "these subjects"} is free at that time.
            </EmptyState>
          ) : (
            <Tutors list={list} />
          )}
          {list.data.length < list.meta.total && (
            <Button
              fullWidth
              variant="default"
              size="xs"
              mt="sm"
              loading={standIns.isFetching}
              onClick={() => setLimit(limit + SHOWN)}
            >
              Show more ({count(list.data.length)} of {count(list.meta.total)})
            </Button>
          )}
        </>
      )}
    </QueryBoundary>
  );
}

function About({ session, total }: { session: CoveredSession; total: number }) {
  return (
    <div className={classes.about}>
      <p className={classes.session}>
        {session.subject ?? "Session"} with {nameOf(session)}
      </p>
      <p>
        {moment(session.scheduled_time)}, {counted(session.minutes, "minute")}. Planned with{" "}
        {tutorName({ ...session, name: session.tutor_name, external_id: null })}.
      </p>
      <p>
        {counted(total, "free tutor")} {total === 1 ? "fits" : "fit"} this session. Tutors with the lowest
        let-down risk come first, those with a raised concern last.
      </p>
    </div>
  );
}

function Tutors({ list: { data, session } }: { list: StandInList }) {
  const arranged = useArranged(session.tutor_id, session.session_id).data;
  const tutor = tutorName({ ...session, name: session.tutor_name, external_id: null });
  return (
    <>
      <p className={classes.about}>
        {arranged === null
          ? `${tutor} has no open case, so tutorq records nothing here.`
          : arranged && `tutorq adds your notes to case ${arranged.caseId} of ${tutor}.`}{" "}
        Move the session in your marketplace.
      </p>
      <ul className={classes.tutors} aria-label="Stand-ins">
        {data.map((tutor) => (
          <TutorRow key={tutor.tutor_id} tutor={tutor} session={session} arranged={arranged} />
        ))}
      </ul>
    </>
  );
}

interface TutorRowProps {
  tutor: StandIn;
  session: CoveredSession;
  arranged: Arranged | null | undefined;
}

function TutorRow({ tutor, session, arranged }: TutorRowProps) {
  const { tutor_id: tutorId, subjects, concerns } = tutor;
  const name = tutorName(tutor);
  return (
    <li className={classes.tutor}>
      <div>
        <Link to="/tutors/$tutorId" params={{ tutorId }} className={`${CELL_LINK} ${classes.name}`}>
          {name}
        </Link>{" "}
        <ConcernBadges concerns={concerns} />
        <span className={classes.subjects}>
          {[tutor.name && tutor.external_id, subjectOf(subjects)].filter(Boolean).join(" · ")}
        </span>
      </div>
      <span className={classes.risks}>
        <Risk of="let-down" level={tutor.let_down_level} probability={tutor.let_down_probability} />
        <Risk of="leaving" level={tutor.risk_level} probability={tutor.churn_probability} />
      </span>
      <Button
        renderRoot={(props) => (
          <Link
            to="/matching"
            search={{ student: session.student_id, tutor: tutorId, subject: session.subject ?? undefined }}
            {...props}
          />
        )}
        size="compact-xs"
        h={26}
        variant="default"
        aria-label={`See the match with ${name}`}
      >
        See the match
      </Button>
      <Arrange session={session} tutor={tutor} arranged={arranged} />
    </li>
  );
}
