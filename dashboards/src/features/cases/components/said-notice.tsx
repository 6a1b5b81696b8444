import { Notice } from "../../../components/notice";
import type { Said } from "../use-case-actions";
import classes from "./said-notice.module.css";

/** What came of the last thing that the reader did. */
export function SaidNotice({ said }: { said: Said | null }) {
  return (
    said && (
      <div className={classes.said}>
        <Notice icon={said.isGood ? "check" : "alert"} isGood={said.isGood}>
          {said.text}
        </Notice>
      </div>
    )
  );
}
