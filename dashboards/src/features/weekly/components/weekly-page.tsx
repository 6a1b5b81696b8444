import { ActionIcon, Button, Skeleton } from "@mantine/core";
import { Link, useSearch } from "@tanstack/react-router";
import { Icon } from "../../../components/icons";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { WayBack } from "../../../components/way-back";
import type { WeeklyReport } from "../../../lib/api-types";
import { count, day } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import { useWeeklyReport } from "../api/get-weekly-report";
import { Ahead } from "./ahead";
import { CasesOfWeek } from "./cases-of-week";
import { ConcernsOfWeek } from "./concerns-of-week";
import { Trend } from "./trend";
import { WeeklyCalibrationPanel } from "./weekly-calibration";
import { WeeklyOutcomesPanel } from "./weekly-outcomes";
import classes from "./weekly-page.module.css";

/** One week for leads, to be read together and printed; the mail of Monday has the same. */
export function WeeklyPage() {
  const { week } = useSearch({ from: "/weekly" });
  const report = useWeeklyReport(week);
  const shown = report.data?.data;
  return (
    <Page
      title={shown ? `Week ${count(shown.week.number)}` : "Weekly report"}
      note={shown && `${day(shown.week.starts_on)} – ${day(shown.week.ends_on)}${standing(shown)}`}
      actions={
        <div className={classes.ways}>
          <WeekLink label="Previous week" icon="back" week={shown?.previous} />
          <WeekLink label="Next week" icon="back" isForward week={shown?.following} />
          <Button size="xs" variant="default" onClick={() => window.print()}>
            Print
          </Button>
        </div>
      }
    >
      <WayBack value={LAST_WEEK}>
        <QueryBoundary query={report} skeleton={<Skeleton height={640} radius={10} />}>
          {({ data }) => <Sections report={data} />}
        </QueryBoundary>
      </WayBack>
    </Page>
  );
}

/** Out of a week that there is not. */
const LAST_WEEK = (
  <Button size="xs" variant="default" renderRoot={(props) => <Link to="/weekly" {...props} />}>
    Go to the last week
  </Button>
);

const standing = ({ week, as_of }: WeeklyReport): string =>
  week.is_over ? "" : `, so far: as of ${day(as_of)}`;

function Sections({ report }: { report: WeeklyReport }) {
  const { narrative, concerns, trend, cases, outcomes, calibration, upcoming, follow_ups } = report;
  return (
    <>
      <section className={classes.narrative} aria-label="Summary">
        {narrative.paragraphs.map((paragraph) => (
          <p key={paragraph}>{asRead(paragraph)}</p>
        ))}
        {narrative.source === "model" && (
          <p className={classes.worded}>A language model wrote this text; tutorq checked its numbers.</p>
        )}
      </section>
      <div className={classes.sections}>
        <ConcernsOfWeek concerns={concerns} />
        <Panel title="Let-downs by week" note="All tutors together" flush>
          <Trend trend={trend} asOf={report.as_of} />
        </Panel>
        <CasesOfWeek cases={cases} />
        <WeeklyOutcomesPanel outcomes={outcomes} />
        <WeeklyCalibrationPanel calibration={calibration} />
        <Ahead
          endsOn={report.week.ends_on}
          upcoming={upcoming}
          followUps={follow_ups}
          isOver={isBehind(report)}
        />
      </div>
    </>
  );
}

/** The week after it is over, too: what was planned in it is history. */
function isBehind({ week, as_of }: WeeklyReport): boolean {
  const ends = new Date(`${week.ends_on}T00:00:00Z`);
  ends.setUTCDate(ends.getUTCDate() + 7);
  return ends.toISOString().slice(0, 10) < as_of;
}

interface WeekLinkProps {
  label: string;
  icon: "back";
  isForward?: boolean;
  week: string | null | undefined;
}

function WeekLink({ label, icon, isForward = false, week }: WeekLinkProps) {
  const look = {
    variant: "default",
    size: 30,
    "aria-label": label,
    className: isForward ? classes.forward : undefined,
  };
  if (!week) {
    return (
      <ActionIcon {...look} disabled>
        <Icon name={icon} />
      </ActionIcon>
    );
  }
  return (
    <ActionIcon {...look} renderRoot={(props) => <Link to="/weekly" search={{ week }} {...props} />}>
      <Icon name={icon} />
    </ActionIcon>
  );
}
