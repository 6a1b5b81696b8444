import { type AnyRouter, useLocation, useRouter } from "@tanstack/react-router";
import { createContext, type ReactNode } from "react";
import { plainTitle } from "../lib/unread";

/** A button that leads to the list which the address belongs to; null on the lists themselves. */
export const WayBack = createContext<ReactNode>(null);

/** A page that the reader came from. */
interface Way {
  to: string;
  search: Record<string, unknown>;
  /** The title that it had. */
  label: string;
  /** Its place in the history of the browser. */
  index: number;
}

const STORED = "tutorq-ways";
const MOST = 60;
const TITLE_END = " · tutorq";

interface Place {
  pathname: string;
  search: unknown;
  state: { __TSR_key?: string; __TSR_index?: number };
}

type Ways = [key: string, way: Way][];

/** Kept for as long as the tab, as the history of the browser is: a page that is loaded again still has its way back. */
function stored(): Ways {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
  } catch {
    return [];
  }
}

function store(ways: Ways): void {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(ways.slice(-MOST)));
  } catch {
    // Without it, pages lead back to their list as it is at first.
  }
}

/** Notes for each page which other page led to it, whatever link was used. */
export function noteWays(router: AnyRouter): void {
  router.subscribe("onBeforeLoad", ({ fromLocation, toLocation }) => {
    if (fromLocation) note(fromLocation as Place, toLocation as Place, plainTitle(document.title));
  });
}

function note(from: Place, to: Place, title: string): void {
  const key = to.state.__TSR_key;
  const [index = 0, next = 0] = [from.state.__TSR_index, to.state.__TSR_index];
  const ways = stored();
  // The way to what one goes back or forward to is known.
  if (!key || ways.some(([known]) => known === key) || next < index) return;
  // Another filter, or the next of a list: one still comes from where one came from.
  const isSame = from.pathname === to.pathname || next === index;
  const way = isSame
    ? ways.find(([known]) => known === from.state.__TSR_key)?.[1]
    : {
        to: from.pathname,
        search: from.search as Way["search"],
        label: title.endsWith(TITLE_END) ? title.slice(0, -TITLE_END.length) : title,
        index,
      };
  if (way) store([...ways, [key, way]]);
}

/** Where the reader came from, and how to go back to it as it was left; null if the page was opened by its address. */
export function useWay(): { way: Way; goBack: () => void } | null {
  const router = useRouter();
  const { state } = useLocation();
  const way = stored().find(([key]) => key === state.__TSR_key)?.[1];
  if (!way || way.to === "/login") return null;
  return { way, goBack: () => router.history.go(way.index - state.__TSR_index) };
}
