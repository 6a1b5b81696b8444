import { Page } from "../../../components/page";
import { QueryBoundary } from "../../../components/query-boundary";
import type { Overview } from "../../../lib/api-types";
import { percent } from "../../../lib/format";
import { letDownsInWords } from "../../../lib/let-downs";
import { useOverview } from "../api/get-overview";
import { ConcernTiles } from "./concern-tiles";
import { NewestConcerns } from "./newest-concerns";
import classes from "./overview-page.module.css";
import { OverviewSkeleton } from "./overview-skeleton";
import { PlatformCharts } from "./platform-charts";
import { PlatformTrend } from "./platform-trend";
import { UpcomingSessions } from "./upcoming-sessions";

/** Who needs attention, what changed since the day before, and how the platform does as a whole. */
export function OverviewPage() {
  const overview = useOverview();
  return (
    <Page title="Overview" note={overview.data && <Rule overview={overview.data.data} />}>
      <QueryBoundary query={overview} skeleton={<OverviewSkeleton />}>
        {({ data, meta }) => (
          <>
            <ConcernTiles overview={data} />
            <div className={classes.columns}>
              <PlatformTrend
                weeks={data.weeks}
                asOf={meta.as_of}
                rates={data.platform}
                counts={data.rules.reliability_counts}
              />
              <NewestConcerns concerns={data.newest_concerns} />
            </div>
          </>
        )}
      </QueryBoundary>
      <PlatformCharts />
      <UpcomingSessions />
    </Page>
  );
}

function Rule({ overview: { rules } }: { overview: Overview }) {
  const whole = { digits: 0 };
  return (
    <>
      A concern is raised when the chance of exceeding a limit reaches{" "}
      {percent(rules.high_risk_probability, whole)}, and ends below {percent(rules.watch_probability, whole)}.
      A tutor is unreliable with more than {percent(rules.risk_threshold, whole)} of sessions{" "}
      {letDownsInWords(rules.reliability_counts)}.
    </>
  );
}
