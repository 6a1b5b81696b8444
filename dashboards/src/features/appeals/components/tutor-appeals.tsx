import { Button, CopyButton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { ErrorNotice } from "../../../components/notice";
import { Tag } from "../../../components/tag";
import { useMayChangeTutor } from "../../../lib/auth";
import { day, dayOf } from "../../../lib/format";
import { useMakePageLink, useOpenAppealsOf, useRevokePageLinks } from "../api/appeals";
import { standing, subjectOf } from "../appeal-words";
import classes from "./tutor-appeals.module.css";

/** On pages about one tutor: their open appeals, if there are any. */
export function OpenAppealsOf({ tutorId }: { tutorId: string }) {
  const appeals = useOpenAppealsOf(tutorId).data?.data ?? [];
  if (appeals.length === 0) return null;
  return (
    <ul className={classes.strip} aria-label="Open appeals">
      {appeals.map((appeal) => (
        <li key={appeal.appeal_id} className={classes.appeal}>
          <Link
            to="/appeals/$appealId"
            params={{ appealId: String(appeal.appeal_id) }}
            className={classes.link}
          >
            Appeal {appeal.appeal_id}
          </Link>
          <Tag {...standing(appeal)} />
          <span>{subjectOf(appeal)}</span>
          <span className={classes.quiet}>Answer by {day(appeal.due_on)}</span>
        </li>
      ))}
    </ul>
  );
}

/** A link to the tutor's own page, to be given to the tutor; for who may change something for them. */
export function OwnPageLink({ tutorId }: { tutorId: string }) {
  const mayChange = useMayChangeTutor(tutorId);
  const make = useMakePageLink(tutorId);
  const revoke = useRevokePageLinks(tutorId);
  if (!mayChange) return null;
  const link = revoke.isSuccess ? undefined : make.data;
  const error = make.error ?? revoke.error;
  return (
    <section className={classes.strip} aria-label="The tutor’s own page">
      <div className={classes.appeal}>
        <span>
          {link
            ? `Valid until ${dayOf(link.expires_at)}. Share only with the tutor.`
            : "The tutor’s own page"}
        </span>
        {revoke.isSuccess && <span className={classes.quiet}>All links revoked.</span>}
        <span className={classes.buttons}>
          {link ? (
            <CopyButton value={link.url}>
              {({ copied, copy }) => (
                <Button size="compact-xs" onClick={copy}>
                  {copied ? "Copied" : "Copy link"}
                </Button>
              )}
            </CopyButton>
          ) : (
            <Button
              size="compact-xs"
              variant="default"
              loading={make.isPending}
              onClick={() => {
                revoke.reset();
                make.mutate();
              }}
            >
              Create link
            </Button>
          )}
          <Button
            size="compact-xs"
            variant="default"
            loading={revoke.isPending}
            onClick={() => revoke.mutate()}
          >
            Revoke all links
          </Button>
        </span>
      </div>
      {error && <ErrorNotice text={error.message} />}
    </section>
  );
}
