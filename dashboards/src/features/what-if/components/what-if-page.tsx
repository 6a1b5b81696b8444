import { Accordion, Button, Select, Skeleton } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { ErrorNotice, Notice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Scoring, ScoringSetting } from "../../../lib/api-types";
import { counted } from "../../../lib/format";
import { useAsk, useScoring } from "../api/what-if";
import { type Changes, changesOf, problemOf, type Value } from "../values";
import { Answer } from "./answer";
import { InForce } from "./in-force";
import { SettingControl } from "./setting-control";
import classes from "./what-if-page.module.css";

const WEEKS = [
  { value: "13", label: "13 weeks" },
  { value: "26", label: "26 weeks" },
  { value: "52", label: "52 weeks" },
];

/** What other settings of scoring would do, for leads; admins can apply them. */
export function WhatIfPage() {
  const scoring = useScoring();
  const { answer } = useSearch({ from: "/what-if" });
  return (
    <Page title="What if?" note="Try settings and see whom they would flag">
      <QueryBoundary query={scoring} skeleton={<Skeleton height={420} radius={10} />}>
        {({ data }) => (
          <>
            {!data.is_published && (
              <Notice icon="clock">
                Applied settings take effect with the next run. These scores use the previous settings.
              </Notice>
            )}
            <Question key={String(data.history[0]?.settings_id)} known={data} />
            <Answer whatIfId={answer} known={data} />
            <InForce known={data} />
          </>
        )}
      </QueryBoundary>
    </Page>
  );
}

function Question({ known }: { known: Scoring }) {
  const navigate = useNavigate({ from: "/what-if" });
  const [draft, setDraft] = useState<Changes>({});
  const [weeks, setWeeks] = useState("26");
  const ask = useAsk();
  const changes = changesOf(known.settings, draft);
  const count = Object.keys(changes).length;
  const problem = problemOf(known.settings, draft);
  const send = () =>
    ask.mutate(
      { changes, weeks: Number(weeks) },
      { onSuccess: ({ what_if_id }) => navigate({ search: { answer: what_if_id }, resetScroll: false }) },
    );
  return (
    <Panel
      title="Settings"
      note={count === 0 ? "Values for the next run" : `${counted(count, "setting")} changed`}
      actions={
        <div className={classes.actions}>
          <Button variant="default" disabled={count === 0} onClick={() => setDraft({})}>
            Reset
          </Button>
          <Select
            aria-label="Weeks to replay"
            className={classes.weeks}
            data={WEEKS}
            value={weeks}
            allowDeselect={false}
            onChange={(chosen) => chosen && setWeeks(chosen)}
          />
          <Button disabled={count === 0 || problem !== null} loading={ask.isPending} onClick={send}>
            Show what changes
          </Button>
        </div>
      }
    >
      {problem && <ErrorNotice text={problem} />}
      {ask.error && <ErrorNotice text={ask.error.message} />}
      <Accordion multiple defaultValue={["Limits"]} variant="default" chevronPosition="left">
        {groups(known.settings).map(([group, settings]) => (
          <Accordion.Item key={group} value={group}>
            <Accordion.Control>{groupLabel(group, settings, changes)}</Accordion.Control>
            <Accordion.Panel>
              <div className={classes.settings}>
                {settings.map((setting) => (
                  <SettingControl
                    key={setting.name}
                    setting={setting}
                    value={draft[setting.name] ?? setting.value}
                    onChange={(value: Value) => setDraft((before) => ({ ...before, [setting.name]: value }))}
                  />
                ))}
              </div>
            </Accordion.Panel>
          </Accordion.Item>
        ))}
      </Accordion>
    </Panel>
  );
}

function groups(settings: readonly ScoringSetting[]): [string, ScoringSetting[]][] {
  const names = [...new Set(settings.map(({ group }) => group))];
  return names.map((name) => [name, settings.filter(({ group }) => group === name)]);
}

function groupLabel(group: string, settings: readonly ScoringSetting[], changes: Changes): string {
  const changed = settings.filter(({ name }) => name in changes).length;
  return changed === 0 ? group : `${group} · ${changed} changed`;
}
