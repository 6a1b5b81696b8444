import { Button, Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { Tag } from "../../../components/tag";
import type { KindOfMail, KindsMeta } from "../../../lib/api-types";
import { useIsAdmin, useSession } from "../../../lib/auth";
import { moment, shortMoment } from "../../../lib/format";
import { useKinds } from "../api/kinds";
import type { Kind } from "../report-search";
import classes from "./kind-cards.module.css";

interface KindCardsProps {
  onPreview: (kind: Kind) => void;
  onTest: (kind: Kind) => void;
  /** The kind of which a test is on its way. */
  testing: Kind | null;
}

/** A card for each kind of mail. */
export function KindCards(actions: KindCardsProps) {
  const kinds = useKinds();
  const isAdmin = useIsAdmin();
  return (
    <QueryBoundary query={kinds} skeleton={<Skeleton height={420} radius={10} />}>
      {({ data, meta }) => (
        <>
          <p className={classes.note}>{noteOf(meta, isAdmin)}</p>
          <ul className={classes.cards} aria-label="Kinds of mail">
            {data.map((known) => (
              <li key={known.kind}>
                <Card known={known} meta={meta} {...actions} />
              </li>
            ))}
          </ul>
        </>
      )}
    </QueryBoundary>
  );
}

function noteOf({ provider, has_begun }: KindsMeta, isAdmin: boolean): string {
  if (!has_begun) return "tutorq sends mail after the first scores.";
  if (provider !== "file") return `${provider} sends the mail.`;
  return isAdmin
    ? "tutorq writes mail to files, not to recipients (TUTORQ_MAIL_PROVIDER=file)."
    : `${NOT_SET_UP}.`;
}

function Card({
  known,
  meta,
  onPreview,
  onTest,
  testing,
}: { known: KindOfMail; meta: KindsMeta } & KindCardsProps) {
  // A key has no address to send a test to.
  const isPerson = useSession().data?.person_id != null;
  const isAdmin = useIsAdmin();
  const isUnset = !isAdmin && meta.provider === "file";
  return (
    <Panel
      title={known.title}
      actions={
        known.is_on ? <Tag tone="ok" icon="check" label="On" /> : <Tag tone="none" icon="ban" label="Off" />
      }
      className={classes.card}
    >
      <p className={classes.about}>{known.about}</p>
      <dl className={classes.facts}>
        <dt>To</dt>
        <dd>{recipientsOf(known, isUnset)}</dd>
        <dt>When</dt>
        <dd>{known.when}</dd>
        {known.is_on ? (
          <>
            <dt>Next</dt>
            <dd>{nextOf(known, meta)}</dd>
          </>
        ) : (
          <>
            <dt>Off</dt>
            <dd>{offBecause(known, isAdmin, isUnset)}</dd>
          </>
        )}
        <dt>{meta.provider === "file" ? "Last written" : "Last sent"}</dt>
        <dd>
          {known.last_report_id ? (
            <Link
              from="/messages"
              search={(before) => ({ ...before, open: known.last_report_id ?? undefined })}
              resetScroll={false}
              className={classes.last}
            >
              {moment(known.last_sent_at)}
            </Link>
          ) : (
            "never"
          )}
        </dd>
      </dl>
      {known.has_preview && (
        <div className={classes.buttons}>
          <Button
            size="xs"
            variant="default"
            aria-label={`Preview: ${known.title}`}
            onClick={() => onPreview(known.kind)}
          >
            Preview
          </Button>
          {isPerson && (
            <Button
              size="xs"
              variant="default"
              aria-label={`Send me a test: ${known.title}`}
              loading={testing === known.kind}
              onClick={() => onTest(known.kind)}
            >
              Send me a test
            </Button>
          )}
          {known.kind === "weekly_report" && (
            <Button component={Link} to="/weekly" size="xs" variant="default">
              Open page
            </Button>
          )}
        </div>
      )}
    </Panel>
  );
}

const NOT_SET_UP = "Mail is not set up yet";

/** Settings are an admin's: others read what they mean. */
function offBecause({ off_because }: KindOfMail, isAdmin: boolean, isUnset: boolean): string | null {
  if (isAdmin) return off_because;
  return isUnset ? NOT_SET_UP : "Off. An admin can say why.";
}

function recipientsOf({ audience, recipients }: KindOfMail, isUnset: boolean): string {
  if (audience === "tutors") return "Each tutor with an address";
  if (audience === "asker") return "The person who requested it";
  if (isUnset) return NOT_SET_UP;
  return recipients?.length ? recipients.join(", ") : "Nobody";
}

function nextOf({ next_at }: KindOfMail, { has_begun }: KindsMeta): string {
  if (next_at) return shortMoment(next_at);
  return has_begun ? "when it happens" : "after the first scores";
}
