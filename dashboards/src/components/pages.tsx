import { Pagination } from "@mantine/core";
import { count } from "../lib/format";
import classes from "./pages.module.css";

interface PagesProps {
  /** Rows on all pages. */
  total: number;
  pageSize: number;
  /** From 1. */
  page: number;
  onChange: (page: number) => void;
}

/** Below a table: which rows are shown, and the way to the others. Nothing where all rows are shown. */
export function Pages({ total, pageSize, page, onChange }: PagesProps) {
  const pages = Math.ceil(total / pageSize);
  // Also where the total cannot be read.
  if (!(pages > 1)) return null;
  return (
    <footer className={classes.pages}>
      <span>
        {count((page - 1) * pageSize + 1)}–{count(Math.min(total, page * pageSize))} of {count(total)}
      </span>
      <Pagination
        total={pages}
        value={page}
        onChange={onChange}
        size="sm"
        siblings={1}
        getControlProps={(control) => ({ "aria-label": `${control} page` })}
        getItemProps={(number) => ({ "aria-label": `Page ${number}` })}
      />
    </footer>
  );
}
