import { Skeleton } from "@mantine/core";
import { useParams } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";
import { BackLink } from "../../../components/back-link";
import { Notice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { QueryBoundary } from "../../../components/query-boundary";
import { StandingBadge } from "../../../components/standing-badge";
import type { TutorDetail } from "../../../lib/api-types";
import { counted, moment } from "../../../lib/format";
import { usePollMs } from "../../../lib/live-context";
import { tutorName } from "../../../lib/person-name";
import { subjectOf } from "../../../lib/subjects";
import { versionOf } from "../../../lib/versions";
import { useTutor } from "../api/get-tutor";
import { type ExcuseChange, haveScoresFollowed } from "../awaited";
import { CALENDAR_DAYS } from "../session-calendar";
import { Attrition } from "./attrition";
import { BestStudents } from "./best-students";
import { NoticePanel, QualityPanel, RetentionPanel } from "./comparison-panels";
import { ConcernCards } from "./concern-cards";
import { PlannedSessions } from "./planned-sessions";
import { QualityScore } from "./quality-score";
import { RateTable } from "./rate-table";
import { SessionCalendar } from "./session-calendar";
import { SlotMap } from "./slot-map";
import { TutorHistory } from "./tutor-history";
import classes from "./tutor-page.module.css";
import { TutorReports } from "./tutor-reports";

/** While scores are awaited: quickly at first, when they usually come within a second. */
const QUICK_POLL_MS = 2_000;
const QUICK_FOR_MS = 120_000;
/** Scores may follow within a second, which is too short to read that they did. */
const SAID_FOR_MS = 15_000;

const ALL_TUTORS = { to: "/tutors", label: "All tutors" };

interface Awaited {
  tutorId: string;
  change: ExcuseChange;
  /** The version of the scores that was shown when the change was made. */
  before: string;
  since: number;
}

interface TutorPageProps {
  /** What another feature says of the tutor, above the rest. */
  above?: (tutor: TutorDetail) => ReactNode;
}

/** One tutor: what is of concern and why, what ends it, what the score is made from, and what happened. */
export function TutorPage({ above }: TutorPageProps) {
  const { tutorId } = useParams({ from: "/tutors/$tutorId" });
  const [days, setDays] = useState(CALENDAR_DAYS);
  const [awaited, setAwaited] = useState<Awaited>();
  /** The tutor whose scores have just followed. */
  const [followed, setFollowed] = useState<string>();
  const pollMs = usePollMs();
  const page = useTutor(tutorId, days, () =>
    awaited && Date.now() - awaited.since < QUICK_FOR_MS ? QUICK_POLL_MS : pollMs,
  );
  const isOver =
    awaited &&
    (awaited.tutorId !== tutorId ||
      (page.data && haveScoresFollowed(awaited.change, awaited.before, page.data)));
  // For good: what somebody else changes afterwards is not waited for.
  if (isOver) {
    setAwaited(undefined);
    if (awaited.tutorId === tutorId) setFollowed(tutorId);
  }
  useEffect(() => {
    if (!followed) return;
    const timer = setTimeout(() => setFollowed(undefined), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [followed]);

  // From the render in which the dialog was sent: what came before the answer to it may be newer already.
  const onChanged = (change: ExcuseChange) => {
    if (page.data) {
      setFollowed(undefined);
      setAwaited({ tutorId, change, before: versionOf(page.data.history.meta), since: Date.now() });
    }
    page.refetch();
  };
  const tutor = page.data?.tutor;
  return (
    <Page
      back={<BackLink list={ALL_TUTORS} />}
      title={tutor ? tutorName(tutor) : "Tutor"}
      note={tutor && <About tutor={tutor} />}
    >
      <QueryBoundary query={page} skeleton={<PageSkeleton />}>
        {({ tutor, explanation, history }) => (
          <>
            {above?.(tutor)}
            <div className={classes.columns}>
              <div className={classes.column}>
                {awaited && <Notice icon="refresh">Saved. Scores update automatically.</Notice>}
                {!awaited && followed === tutorId && (
                  <Notice icon="check" isGood>
                    Saved. The scores are up to date.
                  </Notice>
                )}
                <ConcernCards sentence={explanation.sentence} concerns={explanation.concerns} />
                <SessionCalendar
                  tutorId={tutorId}
                  asOf={history.meta.as_of}
                  days={history.data.calendar}
                  episodes={history.data.episodes}
                  onChanged={onChanged}
                />
                <SlotMap
                  slots={explanation.slots}
                  patterns={explanation.patterns}
                  timezone={explanation.timezone}
                />
                <div className={classes.pair}>
                  <NoticePanel tutorId={tutorId} name={tutorName(tutor)} />
                  <RetentionPanel tutorId={tutorId} name={tutorName(tutor)} />
                </div>
                <TutorHistory
                  tutorId={tutorId}
                  name={tutorName(tutor)}
                  history={history}
                  threshold={explanation.risk_threshold}
                  counts={explanation.reliability_counts}
                  days={days}
                  onDays={setDays}
                  onChanged={onChanged}
                />
              </div>
              <div className={classes.column}>
                <RateTable
                  tutor={tutor}
                  threshold={explanation.risk_threshold}
                  counts={explanation.reliability_counts}
                />
                <PlannedSessions
                  tutorId={tutor.tutor_id}
                  search={tutor.external_id ?? tutorName(tutor)}
                  asOf={history.meta.as_of}
                />
                <Attrition tutorId={tutorId} />
                <QualityScore
                  score={tutor.quality_score}
                  percentile={tutor.peer_percentile}
                  components={explanation.components}
                />
                <QualityPanel tutorId={tutorId} name={tutorName(tutor)} />
                <BestStudents
                  tutorId={tutor.tutor_id}
                  subjects={tutor.subjects}
                  attention={tutor.attention}
                />
                <TutorReports tutorId={tutor.tutor_id} />
              </div>
            </div>
          </>
        )}
      </QueryBoundary>
    </Page>
  );
}

function About({ tutor }: { tutor: TutorDetail }) {
  const { profile } = tutor;
  const facts = [
    tutor.external_id !== tutorName(tutor) && tutor.external_id,
    subjectOf(tutor.subjects),
    profile.experience_years !== null && `${counted(profile.experience_years, "year")} of experience`,
    profile.capacity !== null && `takes ${counted(profile.capacity, "student")}`,
    `last session ${moment(tutor.last_session_at, "never")}`,
  ];
  return (
    <div className={classes.about}>
      <StandingBadge tutor={tutor} />
      {!tutor.is_active && <strong>not active</strong>}
      <span>{facts.filter(Boolean).join(" · ")}</span>
    </div>
  );
}

function PageSkeleton() {
  return (
    <div className={classes.columns}>
      <div className={classes.column}>
        <Skeleton height={190} radius={10} />
        <Skeleton height={420} radius={10} />
      </div>
      <div className={classes.column}>
        <Skeleton height={220} radius={10} />
        <Skeleton height={320} radius={10} />
      </div>
    </div>
  );
}
