import { Button, Modal, Select, Skeleton, TextInput } from "@mantine/core";
import { useClipboard, useDisclosure } from "@mantine/hooks";
import { Link } from "@tanstack/react-router";
import { type ReactElement, useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { HonestyLink } from "../../../components/honesty-link";
import { Icon } from "../../../components/icons";
import { Notice } from "../../../components/notice";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { StandInLink } from "../../../components/stand-in-link";
import type { AffectedStudent, Fact, Preparation, TutorMail } from "../../../lib/api-types";
import { concernLabel } from "../../../lib/concerns";
import { counted, day, moment, ZONE } from "../../../lib/format";
import { studentName } from "../../../lib/person-name";
import { asRead } from "../../../lib/sentences";
import { usePreparation } from "../api/get-case";
import classes from "./prepare-panel.module.css";
import { ThenAndNow } from "./then-and-now";

/** Of a list; the rest is printed, and shown when asked for. */
const SHOWN = 8;

interface PreparePanelProps {
  caseId: number;
  today: string;
  /** Whether the reader may talk with the tutor about it. */
  mayChange: boolean;
}

/** What to know before a conversation with the tutor; to be copied, mailed or printed. */
export function PreparePanel({ caseId, today, mayChange }: PreparePanelProps) {
  const preparation = usePreparation(caseId);
  return (
    <QueryBoundary query={preparation} skeleton={<Skeleton height={480} radius={10} />}>
      {({ data, meta }) => (
        <>
          <Panel
            title="At opening and today"
            note={
              data.opened_on === meta.as_of
                ? `Opened ${meta.as_of === today ? "today" : `with the scores of ${day(meta.as_of)}, which are the newest`}; figures may have changed since`
                : `Opened with the scores of ${day(data.opened_on)}; today’s are as of ${day(meta.as_of)}`
            }
            actions={data.facts.length > 0 && <HonestyLink />}
            flush
          >
            {data.facts.length > 0 ? (
              <ThenAndNow facts={data.facts} openedOn={data.opened_on} />
            ) : (
              <EmptyState icon="check" title="No concern at opening or today">
                Someone opened this case manually.
              </EmptyState>
            )}
          </Panel>
          <Panel
            title="Prepare"
            note="For the conversation with the tutor"
            actions={<Ways known={data} mayChange={mayChange} />}
          >
            <Parts known={data} />
          </Panel>
        </>
      )}
    </QueryBoundary>
  );
}

function Parts({ known }: { known: Preparation }) {
  const raised = known.facts.filter(({ is_raised }) => is_raised);
  return (
    <div className={classes.parts}>
      <Part title="Facts" items={known.facts.map(sentenceOf)} none="No concern is raised." />
      {known.patterns.length > 0 && <Part title="Patterns" items={known.patterns.map(asRead)} none="None." />}
      <Part title="Fair to concede" items={known.concessions.map(asRead)} none="None known." />
      <Part title="Questions to ask" items={known.questions.map(asRead)} none="None." />
      <Part
        title="Students affected next"
        items={known.students.map((student) => (
          <Affected key={student.student_id} student={student} tutorId={known.tutor.tutor_id} />
        ))}
        none="No sessions are planned in the next 7 days."
      />
      <Part
        title="What clears it"
        items={raised.map(({ concern, ending }) => `${concernLabel(concern)}: ${asRead(ending ?? "")}`)}
        none="No concern is raised any more."
      />
    </div>
  );
}

/** Two concerns read the same sessions; what tells them apart. */
const READING: Partial<Record<Fact["concern"], string>> = {
  unreliable: ", over months",
  getting_worse: ", at this moment",
};

/** A sudden change in figures; what was counted is said by the concern that counts in its place. */
function sentenceOf({ concern, change, sentence, is_raised, superseded }: Fact): string {
  const now = superseded && change ? `${change}.` : (sentence ?? "no longer counted.");
  const said = [now, !superseded && !is_raised && "Not raised any more."];
  return `${concernLabel(concern)}${READING[concern] ?? ""}: ${asRead(said.filter(Boolean).join(" "))}`;
}

/** Who has sessions with the tutor, and who could give the next of them. */
function Affected({ student, tutorId }: { student: AffectedStudent; tutorId: string }) {
  return (
    <span className={classes.student}>
      <span>
        <Link to="/matching" search={{ student: student.student_id, tutor: tutorId }}>
          {studentName(student)}
        </Link>
        : {counted(student.sessions, "session")}, next {moment(student.next_at)}
        {student.is_first_meeting && ", first session with the tutor"}
      </span>
      <span className={classes.screen}>
        <StandInLink sessionId={student.next_session_id} />
      </span>
    </span>
  );
}

interface PartProps {
  title: string;
  items: ReactElement[] | string[];
  /** Where there is nothing. */
  none: string;
}

function Part({ title, items, none }: PartProps) {
  const [isWhole, showAll] = useState(items.length <= SHOWN);
  return (
    <section>
      <h3>{title}</h3>
      {items.length === 0 ? (
        <p className={classes.none}>{none}</p>
      ) : (
        <ul data-whole={isWhole}>
          {items.map((item) => (
            <li key={typeof item === "string" ? item : item.key}>{item}</li>
          ))}
        </ul>
      )}
      {!isWhole && (
        <Button size="compact-sm" variant="subtle" className={classes.all} onClick={() => showAll(true)}>
          Show all {items.length}
        </Button>
      )}
    </section>
  );
}

/** The ways out of the page. */
function Ways({ known, mayChange }: { known: Preparation; mayChange: boolean }) {
  const clipboard = useClipboard({ timeout: 4000 });
  const [isInviting, inviting] = useDisclosure(false);
  return (
    <div className={classes.ways}>
      <Button size="compact-sm" variant="default" onClick={() => clipboard.copy(known.text)}>
        {clipboard.copied ? "Copied" : "Copy text"}
      </Button>
      {mayChange && known.mail && (
        <Button size="compact-sm" variant="default" component="a" href={mailTo(known.mail)}>
          Mail to tutor
        </Button>
      )}
      {mayChange && (
        <Button size="compact-sm" variant="default" onClick={inviting.open}>
          Calendar invitation
        </Button>
      )}
      <Button size="compact-sm" variant="default" onClick={() => window.print()}>
        Print
      </Button>
      {clipboard.error && (
        <Notice icon="alert">Your browser blocks copying. Print, or select the text.</Notice>
      )}
      <Modal
        opened={isInviting}
        onClose={inviting.close}
        title="Calendar invitation"
        closeButtonProps={{ "aria-label": "Close" }}
        centered
      >
        <Invitation caseId={known.case_id} onDone={inviting.close} />
      </Modal>
    </div>
  );
}

/** Line ends as RFC 6068 has them. */
export const mailTo = ({ to, subject, body }: TutorMail): string =>
  `mailto:${encodeURIComponent(to)}?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(
    body.replaceAll("\n", "\r\n"),
  )}`;

/** Ten o'clock tomorrow, as a field for a local time takes it. */
function tomorrow(): string {
  const date = new Date();
  date.setDate(date.getDate() + 1);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T10:00`;
}

function Invitation({ caseId, onDone }: { caseId: number; onDone: () => void }) {
  const [at, setAt] = useState(tomorrow);
  const [minutes, setMinutes] = useState("30");
  const start = new Date(at);
  const isKnown = !Number.isNaN(start.getTime());
  const query = isKnown ? new URLSearchParams({ at: start.toISOString(), minutes }) : "";
  return (
    <div className={classes.invitation}>
      <TextInput
        type="datetime-local"
        label="Start"
        description={`In your time zone, ${ZONE}`}
        value={at}
        onChange={(changed) => setAt(changed.currentTarget.value)}
        data-autofocus
      />
      <Select
        label="Minutes"
        data={["15", "30", "45", "60"]}
        value={minutes}
        onChange={(chosen) => setMinutes(chosen ?? minutes)}
        allowDeselect={false}
      />
      <Button
        component="a"
        href={`/api/cases/${caseId}/invitation.ics?${query}`}
        download
        onClick={onDone}
        data-disabled={!isKnown || undefined}
        leftSection={<Icon name="download" />}
      >
        Download
      </Button>
    </div>
  );
}
