import { Button, CopyButton } from "@mantine/core";
import type { CoveredSession, StandIn, StandInAnswer } from "../../../lib/api-types";
import { useSession } from "../../../lib/auth";
import { moment } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import { type Arranged, useNoteStandIn } from "../api/arrange";
import { mailTo, requestText } from "../request-text";
import classes from "./arrange.module.css";

const ANSWERS: Record<StandInAnswer, string> = { asked: "Asked", agreed: "Agreed", declined: "Declined" };

interface ArrangeProps {
  session: CoveredSession;
  tutor: StandIn;
  /** Null if the tutor of the session has no open case. */
  arranged: Arranged | null | undefined;
}

/** How to ask one tutor, and to note what came of it. It moves no session: the marketplace does. */
export function Arrange({ session, tutor, arranged }: ArrangeProps) {
  const known = arranged?.answers.get(tutor.tutor_id);
  const me = useSession().data;
  // A key has no name to sign with.
  const text = requestText(session, tutor, me?.person_id ? me.name : null);
  return (
    <div className={classes.arrange}>
      {tutor.email && (
        <Button size="compact-xs" h={26} variant="default" component="a" href={mailTo(tutor.email, text)}>
          Mail
        </Button>
      )}
      <CopyButton value={text.body}>
        {({ copied, copy }) => (
          <Button size="compact-xs" h={26} variant="default" onClick={copy}>
            {copied ? "Copied" : "Copy text"}
          </Button>
        )}
      </CopyButton>
      {arranged?.mayNote && <Note session={session} tutor={tutor} caseId={arranged.caseId} />}
      {known && (
        <span className={classes.known} data-answer={known.answer}>
          {ANSWERS[known.answer]}, noted by {known.by} on {moment(known.at)}
        </span>
      )}
    </div>
  );
}

function Note({ session, tutor, caseId }: { session: CoveredSession; tutor: StandIn; caseId: number }) {
  const note = useNoteStandIn(caseId);
  return (
    <>
      <span className={classes.note}>Note:</span>
      {(Object.keys(ANSWERS) as StandInAnswer[]).map((answer) => (
        <Button
          key={answer}
          size="compact-xs"
          h={26}
          variant="default"
          aria-label={`Note that ${tutorName(tutor)} ${answer === "asked" ? "was asked" : `has ${answer}`}`}
          disabled={note.isPending}
          onClick={() => note.mutate({ session_id: session.session_id, tutor_id: tutor.tutor_id, answer })}
        >
          {ANSWERS[answer]}
        </Button>
      ))}
      {note.error && (
        <span role="alert" className={classes.error}>
          {note.error.message}
        </span>
      )}
    </>
  );
}
