import { CloseButton, Menu } from "@mantine/core";
import { useLocalStorage, useMediaQuery } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { use, useEffect, useRef, useState } from "react";
import { Icon } from "../components/icons";
import { alertOf, isWanted, type LiveAlert } from "../lib/alerts";
import type { BrowserSession } from "../lib/api-types";
import { counted } from "../lib/format";
import { LiveContext } from "../lib/live-context";
import { Refresher } from "../lib/live-queries";
import { isLookedAt, noteAlert } from "../lib/unread";
import classes from "./live-updates.module.css";

/** Alerts that stand at a time; of those before, only the number. */
const MOST_SHOWN = 3;
const MOST_SHOWN_ON_A_PHONE = 1;
const MOST_KEPT = 100;
/** So long an alert stands once the reader looks at the page. What it says stands on the pages, too. */
const SHOWN_FOR_MS = 20_000;

const useWantsAll = () =>
  useLocalStorage({ key: "tutorq-alerts-of-all", defaultValue: false, getInitialValueInEffect: false });

/** Keeps the page up to date as long as somebody is logged in, and shows alerts in a corner of it. */
export function LiveUpdates({ session }: { session: BrowserSession }) {
  const live = use(LiveContext);
  const client = useQueryClient();
  const [wantsAll] = useWantsAll();
  const [alerts, setAlerts] = useState<LiveAlert[]>([]);
  const isTold = useRef((_: LiveAlert): boolean => true);
  isTold.current = (alert) => isWanted(alert, session.tutor_ids, wantsAll);

  useEffect(() => {
    const refresher = new Refresher(client);
    const told = new Set<string>();
    const ends = [
      live.listen((event) => {
        refresher.note(event);
        const alert = alertOf(event);
        // The same one comes again where a stream was cut in between.
        if (!alert || told.has(alert.id) || !isTold.current(alert)) return;
        told.add(alert.id);
        noteAlert();
        setAlerts((before) => [alert, ...before].slice(0, MOST_KEPT));
      }),
      // Something may have come unheard, and from now on each query has to ask by itself. A stream that is back tells
      // what was missed.
      live.watch(() => {
        if (!live.isLive) client.invalidateQueries({ predicate: ({ meta }) => meta?.isLive !== false });
      }),
    ];
    live.start();
    return () => {
      for (const end of ends) end();
      live.stop();
      refresher.stop();
    };
  }, [live, client]);

  const close = (closed: LiveAlert) => setAlerts((before) => before.filter(({ id }) => id !== closed.id));
  useForgetting(alerts, close);
  const most = useMediaQuery("(max-width: 48em)") ? MOST_SHOWN_ON_A_PHONE : MOST_SHOWN;
  const hidden = alerts.length - most;
  return (
    <div className={classes.region} role="status" aria-label="Alerts">
      {alerts.slice(0, most).map((alert) => (
        <div key={alert.id} className={classes.alert}>
          <Icon name="alert" />
          <div className={classes.text}>
            <Link
              to="/tutors/$tutorId"
              params={{ tutorId: alert.tutor.tutor_id }}
              className={classes.link}
              onClick={() => close(alert)}
            >
              {alert.text}
            </Link>
            {alert.detail && <div className={classes.detail}>{alert.detail}</div>}
          </div>
          <CloseButton size={24} aria-label={`Close: ${alert.text}`} onClick={() => close(alert)} />
        </div>
      ))}
      {hidden > 0 && (
        <div className={classes.more}>
          <Link to="/" className={classes.link} onClick={() => setAlerts([])}>
            {counted(hidden, "more alert")}
          </Link>
        </div>
      )}
    </div>
  );
}

/** Takes the oldest alert away when it has been in sight for a while. */
function useForgetting(alerts: readonly LiveAlert[], close: (alert: LiveAlert) => void): void {
  const oldest = alerts.at(-1);
  const forget = useRef(close);
  forget.current = close;
  useEffect(() => {
    if (!oldest) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const begin = () => {
      clearTimeout(timer);
      if (isLookedAt()) timer = setTimeout(() => forget.current(oldest), SHOWN_FOR_MS);
    };
    begin();
    const stopping = new AbortController();
    window.addEventListener("focus", begin, { signal: stopping.signal });
    document.addEventListener("visibilitychange", begin, { signal: stopping.signal });
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [oldest]);
}

/** In the menu of who has a team: whose alerts to show. */
export function AlertsOfAll({ session }: { session: BrowserSession }) {
  const [wantsAll, setWantsAll] = useWantsAll();
  if (!session.tutor_ids?.length) return null;
  return (
    <Menu.Item onClick={() => setWantsAll(!wantsAll)}>
      {wantsAll ? "Alerts for my tutors only" : "Alerts for all tutors"}
    </Menu.Item>
  );
}
