import { Page } from "../../../components/page";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Overview } from "../../../lib/api-types";
import { day, percent } from "../../../lib/format";
import { useOverview } from "../api/get-overview";
import { NewestFlags } from "./newest-flags";
import classes from "./overview-page.module.css";
import { OverviewSkeleton } from "./overview-skeleton";
import { PlatformTrend } from "./platform-trend";
import { StatusTiles } from "./status-tiles";
import { UpcomingSessions } from "./upcoming-sessions";

/** Today: who needs attention, what changed since the day before, and how the platform does as a whole. */
export function OverviewPage() {
  const overview = useOverview();
  return (
    <Page title="Overview" note={overview.data && <Rule overview={overview.data.data} />}>
      <QueryBoundary query={overview} skeleton={<OverviewSkeleton />}>
        {({ data }) => (
          <>
            <StatusTiles counts={data.risk_status} comparedWith={data.compared_with} />
            <div className={classes.columns}>
              <PlatformTrend weeks={data.weeks} rates={data.platform} />
              <NewestFlags flags={data.newest_flags} />
            </div>
          </>
        )}
      </QueryBoundary>
      <UpcomingSessions />
    </Page>
  );
}

const VERBS = { reschedules: "moves", cancellations: "cancels", no_shows: "misses" };

const inWords = (verbs: string[]) => new Intl.ListFormat("en-GB", { type: "disjunction" }).format(verbs);

function Rule({ overview: { compared_with, rules } }: { overview: Overview }) {
  return (
    <>
      A tutor is flagged who probably {inWords(rules.reliability_counts.map((cause) => VERBS[cause]))} more
      than {percent(rules.risk_threshold, { digits: 0 })} of sessions in the long run.{" "}
      {compared_with
        ? `Changes are since ${day(compared_with)}.`
        : "There is no earlier day to compare with yet."}
    </>
  );
}
