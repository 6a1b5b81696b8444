import { Button, Checkbox, PasswordInput, Radio, Select, Skeleton, Switch, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { ErrorNotice, Notice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { NotificationPreferences, NotificationPreferencesPut } from "../../../lib/api-types";
import { useSession } from "../../../lib/auth";
import { useNotifications, useSaveNotifications, useTestChat, useTestResult } from "../api/notifications";
import classes from "./notifications-page.module.css";

type ToldBy = NotificationPreferences["told_by"];

const KINDS: Record<NotificationPreferences["kinds"][number], string> = {
  "tutor.concern_raised": "A concern is raised",
  "tutor.concern_cleared": "A concern has cleared",
  "session.alert": "A tutor missed a session",
  "case.changed": "One of my cases changed",
  daily_digest: "The daily digest",
};
const ZONES = Intl.supportedValuesOf("timeZone");

/** What the reader wants to be told, where and when. */
export function NotificationsPage() {
  const isPerson = useSession().data?.person_id !== null;
  return (
    <Page title="Notifications" note="What tutorq tells you, where and when">
      <Panel>
        {isPerson ? (
          <Preferences />
        ) : (
          <EmptyState icon="person" title="Log in as a person">
            API keys receive no notifications.
          </EmptyState>
        )}
      </Panel>
    </Page>
  );
}

function Preferences() {
  const preferences = useNotifications();
  return (
    <QueryBoundary query={preferences} skeleton={<Skeleton height={480} />}>
      {({ data }) => <PreferencesForm known={data} />}
    </QueryBoundary>
  );
}

/** Whoever has chosen nothing yet probably lives where their browser does. */
const zoneOf = (known: NotificationPreferences): string =>
  known.told_by === "nothing" && known.kinds.length === 0
    ? Intl.DateTimeFormat().resolvedOptions().timeZone
    : known.time_zone;

function PreferencesForm({ known }: { known: NotificationPreferences }) {
  const [draft, setDraft] = useState({ ...known, time_zone: zoneOf(known), chat_url: "" });
  const save = useSaveNotifications();
  const test = useTestChat();
  const change = (changes: Partial<typeof draft>) => {
    setDraft({ ...draft, ...changes });
    if (!save.isPending) save.reset();
  };
  const isTold = draft.told_by !== "nothing";
  const isQuiet = draft.quiet_from !== null;
  const send = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(asBody(draft), { onSuccess: () => setDraft((before) => ({ ...before, chat_url: "" })) });
  };
  return (
    <form className={classes.form} onSubmit={send}>
      <Radio.Group
        label="Where"
        value={draft.told_by}
        onChange={(told_by) => change({ told_by: told_by as ToldBy })}
      >
        <div className={classes.options}>
          <Radio value="nothing" label="Nowhere" />
          <Radio value="mail" label={`By mail to ${known.email}`} />
          <Radio value="chat" label={known.chat_service ? `In ${known.chat_service}` : "In my own chat"} />
        </div>
      </Radio.Group>
      {draft.told_by === "chat" && (
        <PasswordInput
          label="Apprise URL of the chat"
          description={known.chat_service ? "A URL is stored. Enter another to replace it." : undefined}
          placeholder="slack://TokenA/TokenB/TokenC"
          value={draft.chat_url}
          onChange={(changed) => change({ chat_url: changed.currentTarget.value })}
          required={!known.chat_service}
          autoComplete="off"
          maxLength={2000}
        />
      )}
      {isTold && (
        <>
          <Checkbox.Group
            label="What"
            value={draft.kinds}
            onChange={(kinds) => change({ kinds: kinds as NotificationPreferences["kinds"] })}
          >
            <div className={classes.options}>
              {Object.entries(KINDS).map(([kind, label]) => (
                <Checkbox key={kind} value={kind} label={label} />
              ))}
            </div>
          </Checkbox.Group>
          <Switch
            label="Only about my own tutors"
            checked={draft.only_own_tutors}
            onChange={(changed) => change({ only_own_tutors: changed.currentTarget.checked })}
          />
          <Radio.Group
            label="When"
            value={draft.is_daily ? "daily" : "at once"}
            onChange={(when) => change({ is_daily: when === "daily" })}
          >
            <div className={classes.options}>
              <Radio value="at once" label="At once" />
              <Radio value="daily" label="Once a day, from 7:00" />
            </div>
          </Radio.Group>
          <Switch
            label="Quiet hours: waiting messages arrive together"
            checked={isQuiet}
            onChange={(changed) =>
              change(
                changed.currentTarget.checked
                  ? { quiet_from: "20:00", quiet_to: "07:00" }
                  : { quiet_from: null, quiet_to: null },
              )
            }
          />
          {isQuiet && (
            <div className={classes.quiet}>
              <TextInput
                type="time"
                label="From"
                value={draft.quiet_from ?? ""}
                onChange={(changed) => change({ quiet_from: changed.currentTarget.value })}
                required
              />
              <TextInput
                type="time"
                label="Until"
                value={draft.quiet_to ?? ""}
                onChange={(changed) => change({ quiet_to: changed.currentTarget.value })}
                required
              />
            </div>
          )}
          <Select
            label="Time zone"
            data={ZONES.includes(draft.time_zone) ? ZONES : [draft.time_zone, ...ZONES]}
            value={draft.time_zone}
            onChange={(time_zone) => time_zone && change({ time_zone })}
            searchable
            allowDeselect={false}
            limit={100}
          />
        </>
      )}
      {save.error && <ErrorNotice text={save.error.message} />}
      {save.isSuccess && (
        <Notice icon="check" isGood>
          Saved.
        </Notice>
      )}
      {test.error && <ErrorNotice text={test.error.message} />}
      {test.data && <TestResult reportId={test.data} />}
      <div className={classes.buttons}>
        <Button type="submit" loading={save.isPending}>
          Save
        </Button>
        {known.told_by === "chat" && draft.told_by === "chat" && !draft.chat_url && (
          <Button variant="default" onClick={() => test.mutate()} loading={test.isPending}>
            Send me a test
          </Button>
        )}
      </div>
    </form>
  );
}

function TestResult({ reportId }: { reportId: string }) {
  const test = useTestResult(reportId).data?.data;
  if (test?.state === "sent") {
    return (
      <Notice icon="check" isGood>
        Test sent. Check your chat.
      </Notice>
    );
  }
  if (test && ["failed", "unknown", "suppressed"].includes(test.state)) {
    return <ErrorNotice text={`The test failed: ${test.error}`} />;
  }
  return <Notice icon="clock">Test on its way. Its result appears here.</Notice>;
}

type Draft = NotificationPreferences & { chat_url: string };

/** As the API takes it: a chat URL that is not entered stays as it is. */
function asBody(draft: Draft): NotificationPreferencesPut {
  const { kinds, told_by, is_daily, only_own_tutors, quiet_from, quiet_to, time_zone } = draft;
  return {
    kinds,
    told_by,
    is_daily,
    only_own_tutors,
    quiet_from,
    quiet_to,
    time_zone,
    ...(draft.chat_url.trim() && { chat_url: draft.chat_url.trim() }),
  };
}
