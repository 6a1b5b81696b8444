import type { ComponentProps, ReactNode } from "react";
import { moveWithArrowKeys } from "./arrow-keys";
import classes from "./row-list.module.css";

/** A list whose items are each one link or button of the class ROW, with a RowContent in it. */
export function RowList({ className, ...list }: ComponentProps<"ul">) {
  return (
    <ul
      {...list}
      className={`${classes.list} ${className ?? ""}`}
      onKeyDown={moveWithArrowKeys("a, button")}
    />
  );
}

export const ROW = classes.row;

interface RowContentProps {
  title: string;
  /** Beside the title, at the end of the line. */
  badge?: ReactNode;
  detail: ReactNode;
  /** Beside the detail, at the end of the line. */
  aside?: ReactNode;
  /** On a line of their own. */
  tags?: ReactNode;
  /** The detail ends in an ellipsis where it does not fit on one line. */
  isClipped?: boolean;
}

export function RowContent({ title, badge, detail, aside, tags, isClipped = false }: RowContentProps) {
  return (
    <>
      <span className={classes.title}>{title}</span>
      {badge && <span className={classes.badge}>{badge}</span>}
      <span className={classes.detail} data-clipped={isClipped}>
        {detail}
      </span>
      {aside && <span className={classes.aside}>{aside}</span>}
      {tags && <span className={classes.tags}>{tags}</span>}
    </>
  );
}
