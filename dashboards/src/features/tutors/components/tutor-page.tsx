import { Skeleton } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Icon } from "../../../components/icons";
import { Page } from "../../../components/page";
import { QueryBoundary } from "../../../components/query-boundary";
import { StatusBadge } from "../../../components/status-badge";
import type { TutorDetail } from "../../../lib/api-types";
import { counted, moment } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import { POLL_MS } from "../../../lib/query-client";
import { useExplanation, useTutor } from "../api/get-tutor";
import { BestStudents } from "./best-students";
import { QualityScore } from "./quality-score";
import { RateTable } from "./rate-table";
import { RiskSummary } from "./risk-summary";
import { TutorHistory } from "./tutor-history";
import classes from "./tutor-page.module.css";
import { TutorReports } from "./tutor-reports";

/** While scores are awaited. */
const QUICK_POLL_MS = 2_000;
const AWAIT_AT_MOST_MS = 120_000;

/** One tutor: the status and why, what ends it, what it is made from, and what happened. */
export function TutorPage() {
  const { tutorId } = useParams({ from: "/tutors/$tutorId" });
  const [awaitedAfter, awaitAfter] = useState<number | null>(null);
  const pollMs = awaitedAfter === null ? POLL_MS : QUICK_POLL_MS;
  const tutor = useTutor(tutorId, pollMs);
  const explanation = useExplanation(tutorId, pollMs);
  const generation = tutor.data?.meta.generation;
  const isAwaiting = awaitedAfter !== null && generation !== undefined && generation <= awaitedAfter;

  useEffect(() => {
    if (awaitedAfter === null) return;
    if (!isAwaiting) awaitAfter(null);
    const timer = setTimeout(() => awaitAfter(null), AWAIT_AT_MOST_MS);
    return () => clearTimeout(timer);
  }, [awaitedAfter, isAwaiting]);

  return (
    <Page
      back={<Back />}
      title={tutor.data ? tutorName(tutor.data.data) : "Tutor"}
      note={tutor.data && <About tutor={tutor.data.data} />}
    >
      <QueryBoundary query={tutor} skeleton={<PageSkeleton />}>
        {({ data }) => (
          <QueryBoundary query={explanation} skeleton={<PageSkeleton />}>
            {(explained) => (
              <div className={classes.columns}>
                <div className={classes.column}>
                  <RiskSummary tutor={data} explanation={explained.data} isAwaiting={isAwaiting} />
                  <TutorHistory
                    tutorId={tutorId}
                    name={tutorName(data)}
                    threshold={explained.data.risk_threshold}
                    pollMs={pollMs}
                    onChanged={() => awaitAfter(generation ?? null)}
                  />
                </div>
                <div className={classes.column}>
                  <RateTable tutor={data} threshold={explained.data.risk_threshold} />
                  <QualityScore
                    score={data.quality_score}
                    percentile={data.peer_percentile}
                    components={explained.data.components}
                  />
                  <BestStudents tutorId={data.tutor_id} />
                  <TutorReports tutorId={data.tutor_id} />
                </div>
              </div>
            )}
          </QueryBoundary>
        )}
      </QueryBoundary>
    </Page>
  );
}

function Back() {
  return (
    <Link to="/tutors" className={classes.back}>
      <Icon name="back" size={14} /> All tutors
    </Link>
  );
}

function About({ tutor }: { tutor: TutorDetail }) {
  const { profile } = tutor;
  const facts = [
    tutor.external_id !== tutorName(tutor) && tutor.external_id,
    tutor.subjects.join(", "),
    profile.experience_years !== null && `${counted(profile.experience_years, "year")} of experience`,
    profile.capacity !== null && `takes ${counted(profile.capacity, "student")}`,
    `last session ${moment(tutor.last_session_at, "never")}`,
  ];
  return (
    <div className={classes.about}>
      <StatusBadge status={tutor.risk_status} />
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
