import { Icon } from "../../../components/icons";
import { Notice } from "../../../components/notice";
import { Panel } from "../../../components/panel";
import { RateInterval } from "../../../components/rate-interval";
import type { TutorDetail, TutorExplanation } from "../../../lib/api-types";
import { decimal, percent, probability } from "../../../lib/format";
import classes from "./risk-summary.module.css";

interface RiskSummaryProps {
  tutor: TutorDetail;
  explanation: TutorExplanation;
  /** An excuse was given or taken back, and the scores with it are still to come. */
  isAwaiting: boolean;
}

/** The status in one sentence, how sure it is, and what ends it. */
export function RiskSummary({ tutor, explanation, isAwaiting }: RiskSummaryProps) {
  return (
    <Panel>
      {isAwaiting && (
        <Notice icon="refresh">Noted. The scores follow by themselves, usually within a minute.</Notice>
      )}
      <p className={classes.sentence}>{explanation.sentence}</p>
      {explanation.clearing && (
        <p className={classes.clearing}>
          <Icon name="check" /> {explanation.clearing.sentence}
        </p>
      )}
      <dl className={classes.figures}>
        <div>
          <dt>Above {percent(explanation.risk_threshold, { digits: 0 })} in the long run</dt>
          <dd>{probability(tutor.risk_probability)}</dd>
        </div>
        <div className={classes.wide}>
          <dt>Estimated long-run rate</dt>
          <dd>
            {percent(tutor.let_down_rate_expected)}
            <span className={classes.range}>
              {percent(tutor.let_down_rate_low, { none: "" })}
              {tutor.let_down_rate_low !== null && "–"}
              {percent(tutor.let_down_rate_high, { none: "" })}
            </span>
            <RateInterval
              expected={tutor.let_down_rate_expected}
              low={tutor.let_down_rate_low}
              high={tutor.let_down_rate_high}
              threshold={explanation.risk_threshold}
            />
          </dd>
        </div>
        <div>
          <dt>Quality score</dt>
          <dd>{decimal(tutor.quality_score, 0, "not rated")}</dd>
        </div>
      </dl>
    </Panel>
  );
}
