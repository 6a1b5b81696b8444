import { Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { ZONE } from "../lib/format";
import { useTitle } from "../lib/unread";
import classes from "./page.module.css";

interface PageProps {
  title: string;
  /** The way to the page that this one belongs to. */
  back?: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page: its title, also of the browser's tab, and its parts below one another. */
export function Page({ title, back, note, actions, children }: PageProps) {
  const tabTitle = useTitle(title);
  useEffect(() => {
    document.title = tabTitle;
  }, [tabTitle]);
  return (
    <div className={classes.page}>
      <header className={classes.header}>
        <div>
          {back}
          <Title order={1}>{title}</Title>
          {note && <div className={classes.note}>{note}</div>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
      <p className={classes.zone}>Times are in {ZONE} unless another zone is named.</p>
    </div>
  );
}
