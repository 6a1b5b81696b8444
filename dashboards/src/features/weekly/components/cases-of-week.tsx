import { Link } from "@tanstack/react-router";
import { Panel } from "../../../components/panel";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import type { CaseMentioned, WeeklyCases } from "../../../lib/api-types";
import { count, day, words } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import classes from "./figures.module.css";
import { More } from "./more";

/** What the week did to cases, and which of them somebody should see to today. */
export function CasesOfWeek({ cases }: { cases: WeeklyCases }) {
  const reasons = cases.reasons.map((each) => `${words(each.reason)} (${count(each.cases)})`).join(", ");
  return (
    <Panel title="Cases" flush>
      <dl className={classes.figures}>
        <div>
          <dt>Opened in the week</dt>
          <dd>{count(cases.opened)}</dd>
        </div>
        <div>
          <dt>Closed in the week{reasons && `: ${reasons}`}</dt>
          <dd>{count(cases.closed)}</dd>
        </div>
        <div>
          <dt>Open today</dt>
          <dd>{count(cases.open)}</dd>
        </div>
        <div>
          <dt>Overdue today</dt>
          <dd>{count(cases.overdue)}</dd>
        </div>
        <div>
          <dt>Without an owner today</dt>
          <dd>{count(cases.without_owner)}</dd>
        </div>
      </dl>
      <CaseList title="Overdue" cases={cases.overdue_cases} total={cases.overdue} since="Due on" />
      <CaseList
        hasOwner={false}
        title="Without an owner"
        cases={cases.unowned_cases}
        total={cases.without_owner}
        since="Open since"
      />
    </Panel>
  );
}

interface CaseListProps {
  title: string;
  cases: CaseMentioned[];
  total: number;
  since: string;
  /** Whether they may have one. */
  hasOwner?: boolean;
}

/** Cases by tutor, with their day and owner; nothing if there are none. */
export function CaseList({ title, cases, total, since, hasOwner = true }: CaseListProps) {
  if (cases.length === 0) return null;
  return (
    <section aria-label={title}>
      <h3 className={classes.heading}>{title}</h3>
      <RowList>
        {cases.map((each) => (
          <li key={each.case_id}>
            <Link to="/cases/$caseId" params={{ caseId: String(each.case_id) }} className={ROW}>
              <RowContent
                title={tutorName(each.tutor)}
                detail={`${since} ${day(each.day)}`}
                aside={hasOwner && (each.owner_name ?? "no owner")}
              />
            </Link>
          </li>
        ))}
      </RowList>
      <More total={total} shown={cases.length} />
    </section>
  );
}
