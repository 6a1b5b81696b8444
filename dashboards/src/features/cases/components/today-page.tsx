import { Button, Modal, Switch } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useRef, useState } from "react";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import type { Case } from "../../../lib/api-types";
import { useIsLead, useSession } from "../../../lib/auth";
import { day } from "../../../lib/format";
import { useAreKeysOn, useKeys } from "../../../lib/keys";
import { useCases } from "../api/get-cases";
import { SelectionContext, useSelection } from "../selection";
import type { TodaySearch, Whose } from "../today-search";
import { useCaseActions } from "../use-case-actions";
import { useMe } from "../use-me";
import { type Asked, CaseDialog } from "./case-dialog";
import { CaseTable } from "./case-table";
import { SaidNotice } from "./said-notice";
import { SelectionBar } from "./selection-bar";
import { TodayFilters } from "./today-filters";
import classes from "./today-page.module.css";
import { TodayQueues } from "./today-queues";

const NO_CASES: Case[] = [];

/** The first page: which tutors need a conversation today, and who has it. What is shown stands in the address. */
export function TodayPage() {
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
  const actions = useCaseActions();
  const [asked, ask] = useState<Asked | null>(null);
  const [isHelp, help] = useDisclosure(false);
  const list = useRowFocus(rows);

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
    asked === null && !isHelp,
  );
  return (
    <Page
      title="Today"
      note={today && day(today)}
      actions={
        <Button
          className={classes.keys}
          size="xs"
          variant="default"
          onClick={help.open}
          aria-keyshortcuts="?"
        >
          Keys <kbd className={classes.key}>?</kbd>
        </Button>
      }
    >
      <TodayQueues search={search} counts={query.data?.meta.queues} />
      <TodayFilters search={search} whose={whose} onChange={change} />
      <SaidNotice said={actions.said} />
      <SelectionContext value={selection}>
        <Panel flush>
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
          <div ref={list.ref}>
            <CaseTable
              query={query}
              search={search}
              whose={whose}
              onChange={change}
              onClear={() => change({ concern: undefined, search: undefined })}
            />
          </div>
        </Panel>
      </SelectionContext>
      <CaseDialog
        asked={asked}
        today={today}
        actions={actions}
        onClose={() => {
          if (asked?.what === "assign") selection.set([]);
          ask(null);
        }}
        onClosed={list.refocus}
      />
      <KeysHelp isOpen={isHelp} onClose={help.close} />
    </Page>
  );
}

const linksIn = (list: Element | null): HTMLElement[] => [
  ...(list?.querySelectorAll<HTMLElement>("[data-case]") ?? []),
];
const linkAt = (node: Element | null): HTMLElement | null =>
  node?.closest("tr")?.querySelector<HTMLElement>("[data-case]") ?? null;

/** Which row has the focus, by the number of its case; and the way from one row to the next. */
function useRowFocus(rows: Case[]) {
  const ref = useRef<HTMLDivElement>(null);
  const place = useRef<number | null>(null);
  useEffect(() => {
    const list = ref.current;
    const note = ({ target }: FocusEvent) => {
      const link = linkAt(target as Element);
      if (link) place.current = linksIn(list).indexOf(link);
    };
    list?.addEventListener("focusin", note);
    return () => list?.removeEventListener("focusin", note);
  }, []);
  const refocus = useCallback(() => {
    if (place.current === null || document.activeElement !== document.body) return;
    const all = linksIn(ref.current);
    all[Math.min(place.current, all.length - 1)]?.focus();
  }, []);
  // The row with the focus may be gone: the next one has taken its place.
  // biome-ignore lint/correctness/useExhaustiveDependencies: that happens when the rows change
  useEffect(refocus, [rows, refocus]);
  const current = () =>
    ref.current?.contains(document.activeElement) ? linkAt(document.activeElement) : null;
  return {
    ref,
    refocus,
    focused: (): number | null => {
      const link = current();
      return link ? Number(link.dataset.case) : null;
    },
    move: (step: 1 | -1) => {
      const all = linksIn(ref.current);
      const link = current();
      const next = link ? all.indexOf(link) + step : (place.current ?? 0);
      all[Math.max(0, Math.min(next, all.length - 1))]?.focus();
    },
  };
}

const KEYS = [
  ["j / k", "Next, previous case"],
  ["x", "Select, or not"],
  ["a", "Assign; coaches take"],
  ["e", "Log a contact"],
  ["s", "Snooze"],
  ["Enter", "Open the case"],
  ["/", "Search"],
  ["?", "Show these keys"],
] as const;

function KeysHelp({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [areOn, setAreOn] = useAreKeysOn();
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Keys"
      size="xs"
      closeButtonProps={{ "aria-label": "Close" }}
      centered
    >
      <dl className={classes.help}>
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd className={classes.key}>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Switch
        size="xs"
        label="Use single keys"
        checked={areOn}
        onChange={(event) => setAreOn(event.currentTarget.checked)}
      />
    </Modal>
  );
}
