import { Link } from "@tanstack/react-router";
import type { QueueCounts } from "../../../lib/api-types";
import { count } from "../../../lib/format";
import { QUEUES } from "../case-words";
import type { TodaySearch } from "../today-search";
import classes from "./today-queues.module.css";

const ORDER = ["todo", "due", "waiting", "closed"] as const;

interface TodayQueuesProps {
  search: TodaySearch;
  counts: QueueCounts | undefined;
}

/** Where the cases of the day stand, and how many there are in each place. */
export function TodayQueues({ search, counts }: TodayQueuesProps) {
  const current = search.queue ?? "todo";
  return (
    <nav className={classes.queues} aria-label="Queues">
      {ORDER.map((queue) => (
        <Link
          key={queue}
          to="/"
          search={{ ...search, queue: queue === "todo" ? undefined : queue, page: undefined }}
          className={classes.queue}
          aria-current={queue === current ? "page" : undefined}
          activeOptions={{ exact: true, includeSearch: true }}
          resetScroll={false}
        >
          {QUEUES[queue]}{" "}
          <span className={classes.count} data-due={queue === "due" && (counts?.due ?? 0) > 0}>
            {count(counts?.[queue], "")}
          </span>
        </Link>
      ))}
    </nav>
  );
}
