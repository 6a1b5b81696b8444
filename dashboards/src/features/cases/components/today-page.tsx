import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import type { Case } from "../../../lib/api-types";
import { useIsLead, useSession } from "../../../lib/auth";
import { day } from "../../../lib/format";
import { useKeys } from "../../../lib/keys";
import { useCases } from "../api/get-cases";
import { SelectionContext, useSelection } from "../selection";
import { type TodaySearch, type Whose, WITHOUT_FILTERS } from "../today-search";
import { useCaseActions } from "../use-case-actions";
import { useMe } from "../use-me";
import { useRowFocus } from "../use-row-focus";
import { type Asked, CaseDialog } from "./case-dialog";
import { CaseTable } from "./case-table";
import { KeysButton, KeysHelp, TODAY_KEYS, useKeysHelp } from "./keys-help";
import { SaidNotice } from "./said-notice";
import { SelectionBar } from "./selection-bar";
import { TodayFilters } from "./today-filters";
import classes from "./today-page.module.css";
import { TodayQueues } from "./today-queues";

const NO_CASES: Case[] = [];

/** The first page: which tutors need a conversation today, and who has it. What is shown stands in the address. */
export function TodayPage({ above }: { above?: ReactNode }) {
  const search = useSearch({ from: "/" });
  const navigate = useNavigate({ from: "/" });
  const role = useSession().data?.role;
  const me = useMe();
  const isLead = useIsLead();
  const whose: Whose = search.whose ?? (role === "coach" ? "mine" : "all");
  const query = useCases(search, whose);
  const rows = query.data?.data ?? NO_CASES;
  const today = query.data?.meta.today ?? "";
  const selection = useSelection(rows.filter(({ may_change }) => may_change).map(({ case_id }) => case_id));
  const actions = useCaseActions(selection.set);
  const [asked, ask] = useState<Asked | null>(null);
  const help = useKeysHelp();
  const list = useRowFocus(rows, search);
  const { say } = actions;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was done is no news beside other cases
  useEffect(() => say(null), [search, whose]);

  // Another filter begins with its first page; typing should not fill the history.
  const change = useCallback(
    (changes: Partial<TodaySearch>) =>
      navigate({
        search: (before) => ({ ...before, page: undefined, ...changes }),
        replace: "search" in changes,
        resetScroll: false,
      }),
    [navigate],
  );
  const chosen = rows.filter(({ case_id }) => selection.ids.has(case_id));
  /** What a key is about: the selected cases, or else the one where the focus is. */
  const meant = (): Case[] => {
    if (chosen.length > 0) return chosen;
    const focused = rows.find(({ case_id }) => case_id === list.focused());
    return focused?.may_change ? [focused] : [];
  };
  const assign = (cases: Case[]) => {
    if (cases.length === 0) return;
    if (isLead) ask({ what: "assign", cases });
    else if (me) take(cases);
  };
  const take = (cases: Case[]) => {
    if (!me) return;
    const [only] = cases;
    if (cases.length === 1 && only) actions.give(only, me);
    else actions.assign(cases, me);
    selection.set([]);
  };
  const one = (what: "contact" | "snooze") => {
    const [only, ...others] = meant();
    if (only && others.length === 0) ask({ what, subject: only });
  };
  useKeys(
    {
      j: () => list.move(1),
      k: () => list.move(-1),
      x: () => {
        const id = list.focused();
        if (id !== null) selection.toggle(id);
      },
      a: () => assign(meant()),
      e: () => one("contact"),
      s: () => one("snooze"),
      "?": help.open,
    },
    asked === null && !help.isOpen,
  );
  return (
    <Page title="Today" note={today && day(today)} actions={<KeysButton onClick={help.open} />}>
      {above}
      <TodayQueues search={search} counts={query.data?.meta.queues} />
      <TodayFilters search={search} whose={whose} onChange={change} />
      <SelectionContext value={selection}>
        <Panel flush className={classes.cases}>
          {rows.length > 0 && (
            <SelectionBar
              chosen={chosen}
              all={rows}
              isLead={isLead}
              onAssign={() => ask({ what: "assign", cases: chosen })}
              onTake={me ? () => take(chosen) : undefined}
              onAsk={(what, subject) => ask({ what, subject })}
            />
          )}
          <div ref={list.ref} onClickCapture={list.leave}>
            <CaseTable
              query={query}
              search={search}
              whose={whose}
              onChange={change}
              onClear={() => change(WITHOUT_FILTERS)}
            />
          </div>
        </Panel>
      </SelectionContext>
      <CaseDialog
        asked={asked}
        today={today}
        actions={actions}
        onClose={() => ask(null)}
        onAssigned={() => selection.set([])}
        onClosed={list.refocus}
      />
      <SaidNotice said={actions.said} onClose={() => say(null)} />
      <KeysHelp keys={TODAY_KEYS} {...help} />
    </Page>
  );
}
