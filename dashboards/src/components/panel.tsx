import { Title } from "@mantine/core";
import { type ReactNode, useId } from "react";
import classes from "./panel.module.css";

interface PanelProps {
  title?: string;
  /** A word on what is shown, beside the title. */
  note?: ReactNode;
  actions?: ReactNode;
  /** Without inner margins, for tables that reach the edge. */
  flush?: boolean;
  className?: string;
  /** For links to it. */
  anchor?: string;
  children: ReactNode;
}

/** A part of a page, with a heading of its own. */
export function Panel({ title, note, actions, flush = false, className, anchor, children }: PanelProps) {
  const id = useId();
  return (
    <section
      id={anchor}
      className={`${classes.panel} ${className ?? ""}`}
      aria-labelledby={title ? id : undefined}
    >
      {title && (
        <header className={classes.header}>
          <div>
            <Title order={2} id={id}>
              {title}
            </Title>
            {note && <p className={classes.note}>{note}</p>}
          </div>
          {actions}
        </header>
      )}
      <div className={flush ? classes.flush : classes.content}>{children}</div>
    </section>
  );
}
