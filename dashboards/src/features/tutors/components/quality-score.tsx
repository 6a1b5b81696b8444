import { Bar } from "../../../components/bar";
import { Panel } from "../../../components/panel";
import type { Component } from "../../../lib/api-types";
import { decimal, percent } from "../../../lib/format";
import { asRead } from "../../../lib/sentences";
import classes from "./quality-score.module.css";

const LABELS: Record<Component["name"], string> = {
  reliability: "Reliability",
  attendance: "Attendance",
  first_session: "First sessions",
  rating: "Ratings",
};

interface QualityScoreProps {
  score: number | null;
  /** Share of tutors with a lower score. */
  percentile: number | null;
  components: Component[];
}

/** What the quality score is made from, each part with its weight and the counts behind it. */
export function QualityScore({ score, percentile, components }: QualityScoreProps) {
  const better = percentile === null ? "" : ` · higher than ${percent(percentile, { digits: 0 })} of tutors`;
  return (
    <Panel
      title="Quality score"
      note={`${decimal(score, 1, "Not rated")}${score === null ? "" : " of 100"}${better}`}
    >
      <ul className={classes.list}>
        {components.map((component) => (
          <li key={component.name}>
            <div className={classes.line}>
              <span className={classes.name}>{LABELS[component.name] ?? component.name}</span>
              <span className={classes.weight}>
                weight {percent(component.weight, { digits: 0 })}, measured{" "}
                {percent(component.variance_share, { digits: 0, none: "unknown" })}
              </span>
              <span className={classes.value}>{outOf100(component.value)}</span>
            </div>
            <Bar fraction={component.value} />
            <p className={classes.sentence}>{asRead(component.sentence)}</p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const outOf100 = (value: number | null) => decimal(value === null ? null : value * 100, 0, "no data");
