import { Link } from "@tanstack/react-router";
import { Panel } from "../../../components/panel";
import type { WeeklyCalibration } from "../../../lib/api-types";
import { counted, percent } from "../../../lib/format";
import classes from "./figures.module.css";

/** How often flags were right and ranges held, against what was forecast. */
export function WeeklyCalibrationPanel({
  calibration: { horizon_days: days, totals },
}: {
  calibration: WeeklyCalibration;
}) {
  return (
    <Panel title="Were the flags right?" note={`Monday forecasts, ${counted(days, "day")} old or more`} flush>
      <dl className={classes.figures}>
        <div>
          <dt>Flags that were right</dt>
          <dd>{against(totals.right_share, totals.right_share_expected)}</dd>
        </div>
        <div>
          <dt>Outcomes within the range</dt>
          <dd>{against(totals.coverage, totals.coverage_expected)}</dd>
        </div>
      </dl>
      <p className={classes.careful}>
        Of {counted(totals.raised, "check")} of flagged tutors and {counted(totals.forecasts, "forecast")},
        one per tutor and Monday. A flag was right if the tutor was above the limit in the{" "}
        {counted(days, "day")} after. <Link to="/honesty">Flag accuracy</Link>
      </p>
    </Panel>
  );
}

const share = (value: number | null): string => percent(value, { digits: 0, none: "–" });
const against = (came: number | null, forecast: number | null): string =>
  came === null ? "too early to judge" : `${share(came)}, forecast ${share(forecast)}`;
