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
import { LogInPage } from "../features/auth/components/log-in-page";
import type { BrowserSession } from "../lib/api-types";
import { type LogOutWhere, useLogOut, useSession } from "../lib/auth";
import { useUnreadableFields } from "../lib/unreadable-numbers";
import { Freshness } from "./freshness";
import classes from "./shell.module.css";
import { useList, WayBackButton } from "./way-back-button";

const PAGES = [
  { to: "/", label: "Today", each: "/cases" },
  { to: "/overview", label: "Overview" },
  { to: "/tutors", label: "Tutors" },
  { to: "/upcoming", label: "Upcoming" },
  { to: "/matching", label: "Matching" },
  { to: "/outcomes", label: "Outcomes" },
  { to: "/reports", label: "Reports" },
] as const;
const ADMIN_PAGES = [{ to: "/audit", label: "Audit log" }] as const;

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
  const pages = session.role === "admin" ? [...PAGES, ...ADMIN_PAGES] : PAGES;
  const list = useList(pages);
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
        <Link to="/" className={classes.brand} aria-label="tutorq, to today">
          <img src="/icon.svg" width={22} height={22} alt="" />
          tutorq
        </Link>
        <nav className={classes.nav} data-open={isOpen} aria-label="Pages">
          {pages.map(({ to, label }) => (
            <Link
              key={to}
              to={to}
              className={classes.link}
              activeOptions={{ exact: to === "/", includeSearch: false }}
            >
              {label}
            </Link>
          ))}
        </nav>
        <div className={classes.tools}>
          <Freshness />
          <SchemeSwitch />
          <SessionMenu session={session} onLogOut={(where) => logOut.mutate(where)} />
        </div>
      </header>
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

function Unreadable() {
  const fields = useUnreadableFields();
  if (!fields) return null;
  return (
    <div className={classes.banner}>
      <ErrorNotice
        text={`The API sent figures that are not numbers, which are shown as “unreadable”: ${fields}.`}
      />
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
  coach: "You can change things for your own tutors",
  lead: "You can change things for all tutors",
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
          aria-label={`${session.name}: your log-in`}
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
        <Menu.Item component={Link} to="/log-ins">
          Where you are logged in
        </Menu.Item>
        <Menu.Item component={Link} to="/words">
          What the words mean
        </Menu.Item>
        <Menu.Item component="a" href="/api/docs">
          Description of the API
        </Menu.Item>
        <Menu.Item onClick={() => onLogOut("here")}>Log out</Menu.Item>
        <Menu.Item onClick={() => onLogOut("everywhere")}>Log out everywhere</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
