import {
  ActionIcon,
  Burger,
  Button,
  Menu,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { Icon } from "../components/icons";
import { ErrorNotice } from "../components/notice";
import { QueryBoundary } from "../components/query-boundary";
import { WayBack } from "../components/way-back";
import { WaitingCount } from "../features/appeals/components/waiting";
import { LogInPage } from "../features/auth/components/log-in-page";
import type { BrowserSession } from "../lib/api-types";
import { type LogOutWhere, useLogOut, useSession } from "../lib/auth";
import { useUnreadableFields } from "../lib/unreadable-numbers";
import { Freshness } from "./freshness";
import { AlertsOfAll, LiveUpdates } from "./live-updates";
import classes from "./shell.module.css";
import { useList, WayBackButton } from "./way-back-button";

const PAGES = [
  { to: "/", label: "Today", each: "/cases" },
  { to: "/overview", label: "Overview" },
  { to: "/tutors", label: "Tutors" },
  { to: "/upcoming", label: "Upcoming" },
  { to: "/matching", label: "Matching" },
  { to: "/appeals", label: "Appeals" },
  { to: "/outcomes", label: "Outcomes" },
] as const;
/** In the menu “More”, for want of width. */
const MORE_PAGES = [
  { to: "/honesty", label: "Flag accuracy" },
  { to: "/weekly", label: "Weekly" },
  { to: "/messages", label: "Messages" },
] as const;
const LEAD_PAGES = [
  { to: "/fairness", label: "Fairness" },
  { to: "/what-if", label: "What if" },
] as const;
const ADMIN_PAGES = [
  { to: "/webhooks", label: "Webhooks" },
  { to: "/audit", label: "Audit log" },
] as const;

/** The frame of all pages; in their place the log-in, as long as nobody is logged in. */
export function Shell() {
  const session = useSession();
  return (
    <QueryBoundary query={session} skeleton={<div className={classes.blank} />}>
      {(known) => (known ? <Frame session={known} /> : <LogInPage />)}
    </QueryBoundary>
  );
}

function Frame({ session }: { session: BrowserSession }) {
  const [isOpen, menu] = useDisclosure(false);
  const { pathname } = useLocation();
  const logOut = useLogOut();
  const isAdmin = session.role === "admin";
  const more = [
    ...MORE_PAGES,
    ...(isAdmin || session.role === "lead" ? LEAD_PAGES : []),
    ...(isAdmin ? ADMIN_PAGES : []),
  ];
  const list = useList([...PAGES, ...more]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when the page changes
  useEffect(menu.close, [pathname]);
  return (
    <>
      <a className={classes.skip} href="#content">
        Skip to content
      </a>
      <header className={classes.header}>
        <Burger
          className={classes.burger}
          opened={isOpen}
          onClick={menu.toggle}
          size="sm"
          aria-label={isOpen ? "Close the menu" : "Open the menu"}
          aria-expanded={isOpen}
        />
        <Link to="/" className={classes.brand} aria-label="tutorq home">
          <img src="/icon.svg" width={22} height={22} alt="" />
          tutorq
        </Link>
        <nav className={classes.nav} data-open={isOpen} aria-label="Pages">
          {PAGES.map(({ to, label }) => (
            <Link
              key={to}
              to={to}
              className={classes.link}
              activeOptions={{ exact: to === "/", includeSearch: false }}
            >
              {label}
              {to === "/appeals" && <WaitingCount />}
            </Link>
          ))}
          {isOpen ? (
            more.map(({ to, label }) => (
              <Link key={to} to={to} className={classes.link} activeOptions={{ includeSearch: false }}>
                {label}
              </Link>
            ))
          ) : (
            <MoreMenu pages={more} />
          )}
        </nav>
        <div className={classes.tools}>
          <Freshness />
          <SchemeSwitch />
          <SessionMenu session={session} onLogOut={(where) => logOut.mutate(where)} />
        </div>
      </header>
      <LiveUpdates session={session} />
      <main id="content" tabIndex={-1} className={classes.main}>
        <Unreadable />
        {logOut.error && (
          <div className={classes.banner}>
            <ErrorNotice text={`You are still logged in. ${logOut.error.message}`} />
          </div>
        )}
        <WayBack value={list ? <WayBackButton {...list} /> : null}>
          <Outlet />
        </WayBack>
      </main>
    </>
  );
}

function MoreMenu({ pages }: { pages: readonly { to: string; label: string }[] }) {
  const { pathname } = useLocation();
  const current = pages.find(({ to }) => pathname.startsWith(to));
  return (
    <Menu position="bottom-start" width={180} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <button type="button" className={`${classes.link} ${classes.more}`} data-current={Boolean(current)}>
          {current?.label ?? "More"}
          <Icon name="down" />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {pages.map(({ to, label }) => (
          <Menu.Item key={to} component={Link} to={to} aria-current={to === current?.to ? "page" : undefined}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Unreadable() {
  const fields = useUnreadableFields();
  if (!fields) return null;
  return (
    <div className={classes.banner}>
      <ErrorNotice text={`The API sent invalid numbers, shown as “unreadable”: ${fields}.`} />
    </div>
  );
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={`Use the ${other} page`}
      onClick={() => setColorScheme(other)}
    >
      <Icon name={scheme === "dark" ? "sun" : "moon"} />
    </ActionIcon>
  );
}

/** What a role lets its holder do, in the menu. */
const MAY = {
  read: "You can view everything",
  coach: "You can make changes for your tutors",
  lead: "You can make changes for all tutors",
  ingest: "You can send sessions",
  admin: "You can change everything",
} as const satisfies Record<BrowserSession["role"], string>;

interface SessionMenuProps {
  session: BrowserSession;
  onLogOut: (where: LogOutWhere) => void;
}

function SessionMenu({ session, onLogOut }: SessionMenuProps) {
  return (
    <Menu position="bottom-end" width={240} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="compact-md"
          aria-label={`Account: ${session.name}`}
          leftSection={<Icon name="person" />}
          classNames={{ root: classes.session, section: classes.sessionIcon }}
        >
          <span className={classes.sessionName}>{session.name}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session.name}, role {session.role}. {MAY[session.role]}.
        </Menu.Label>
        {session.person_id !== null && (
          <Menu.Item component={Link} to="/notifications">
            Notifications
          </Menu.Item>
        )}
        <Menu.Item component={Link} to="/log-ins">
          Where you are logged in
        </Menu.Item>
        <AlertsOfAll session={session} />
        <Menu.Item component={Link} to="/words">
          Glossary
        </Menu.Item>
        <Menu.Item component="a" href="/api/docs">
          API documentation
        </Menu.Item>
        <Menu.Item onClick={() => onLogOut("here")}>Log out</Menu.Item>
        <Menu.Item onClick={() => onLogOut("everywhere")}>Log out everywhere</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
