import { count } from "../../../lib/format";
import classes from "./more.module.css";

/** How many a list leaves out. */
export function More({ total, shown }: { total: number; shown: number }) {
  if (total <= shown) return null;
  return <p className={classes.more}>… and {count(total - shown)} more</p>;
}
