import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
  redirect,
} from "@tanstack/react-router";
import { noteWays } from "../components/way-back";
import { appealSearch } from "../features/appeals/appeal-search";
import { auditSearch } from "../features/audit/audit-search";
import { logInsSearch } from "../features/auth/log-ins-search";
import { outcomesSearch } from "../features/cases/outcomes-search";
import { todaySearch } from "../features/cases/today-search";
import { honestySearch } from "../features/honesty/honesty-search";
import { matchingSearch } from "../features/matching/matching-search";
import { reportSearch } from "../features/reports/report-search";
import { tutorSearch } from "../features/tutors/tutor-search";
import { upcomingSearch } from "../features/upcoming/upcoming-search";
import { webhooksSearch } from "../features/webhooks/webhooks-search";
import { weeklySearch } from "../features/weekly/weekly-search";
import { whatIfSearch } from "../features/what-if/what-if-search";
import { parseQuery, writeQuery } from "../lib/search-params";
import { NotFound, PageProblem } from "./error-pages";
import { Shell } from "./shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const today = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: todaySearch,
  component: lazyRouteComponent(() => import("./today-page"), "TodayPageWithAppeals"),
});

const oneCase = createRoute({
  getParentRoute: () => root,
  path: "/cases/$caseId",
  component: lazyRouteComponent(() => import("./case-page"), "CasePageWithAppeals"),
});

const appeals = createRoute({
  getParentRoute: () => root,
  path: "/appeals",
  validateSearch: appealSearch,
  component: lazyRouteComponent(() => import("../features/appeals/components/appeals-page"), "AppealsPage"),
});

const oneAppeal = createRoute({
  getParentRoute: () => root,
  path: "/appeals/$appealId",
  component: lazyRouteComponent(() => import("../features/appeals/components/appeal-page"), "AppealPage"),
});

const outcomes = createRoute({
  getParentRoute: () => root,
  path: "/outcomes",
  validateSearch: outcomesSearch,
  component: lazyRouteComponent(() => import("../features/cases/components/outcomes-page"), "OutcomesPage"),
});

const honesty = createRoute({
  getParentRoute: () => root,
  path: "/honesty",
  validateSearch: honestySearch,
  component: lazyRouteComponent(() => import("../features/honesty/components/honesty-page"), "HonestyPage"),
});

const fairness = createRoute({
  getParentRoute: () => root,
  path: "/fairness",
  component: lazyRouteComponent(
    () => import("../features/fairness/components/fairness-page"),
    "FairnessPage",
  ),
});

const overview = createRoute({
  getParentRoute: () => root,
  path: "/overview",
  component: lazyRouteComponent(
    () => import("../features/overview/components/overview-page"),
    "OverviewPage",
  ),
});

const tutors = createRoute({
  getParentRoute: () => root,
  path: "/tutors",
  validateSearch: tutorSearch,
  component: lazyRouteComponent(() => import("../features/tutors/components/tutors-page"), "TutorsPage"),
});

const tutor = createRoute({
  getParentRoute: () => root,
  path: "/tutors/$tutorId",
  component: lazyRouteComponent(() => import("./tutor-page"), "TutorPageWithCase"),
});

const upcoming = createRoute({
  getParentRoute: () => root,
  path: "/upcoming",
  validateSearch: upcomingSearch,
  component: lazyRouteComponent(
    () => import("../features/upcoming/components/upcoming-page"),
    "UpcomingPage",
  ),
});

const matching = createRoute({
  getParentRoute: () => root,
  path: "/matching",
  validateSearch: matchingSearch,
  component: lazyRouteComponent(
    () => import("../features/matching/components/matching-page"),
    "MatchingPage",
  ),
});

const weekly = createRoute({
  getParentRoute: () => root,
  path: "/weekly",
  validateSearch: weeklySearch,
  component: lazyRouteComponent(() => import("../features/weekly/components/weekly-page"), "WeeklyPage"),
});

const whatIf = createRoute({
  getParentRoute: () => root,
  path: "/what-if",
  validateSearch: whatIfSearch,
  component: lazyRouteComponent(() => import("../features/what-if/components/what-if-page"), "WhatIfPage"),
});

const messages = createRoute({
  getParentRoute: () => root,
  path: "/messages",
  validateSearch: reportSearch,
  component: lazyRouteComponent(() => import("../features/reports/components/messages-page"), "MessagesPage"),
});

/** Where messages were before; links in people's notes still lead there. */
const reports = createRoute({
  getParentRoute: () => root,
  path: "/reports",
  validateSearch: reportSearch,
  beforeLoad: ({ search }) => {
    throw redirect({ to: "/messages", search, replace: true });
  },
});

const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("../features/audit/components/audit-page"), "AuditPage"),
});

const webhooks = createRoute({
  getParentRoute: () => root,
  path: "/webhooks",
  validateSearch: webhooksSearch,
  component: lazyRouteComponent(
    () => import("../features/webhooks/components/webhooks-page"),
    "WebhooksPage",
  ),
});

const notifications = createRoute({
  getParentRoute: () => root,
  path: "/notifications",
  component: lazyRouteComponent(
    () => import("../features/notifications/components/notifications-page"),
    "NotificationsPage",
  ),
});

const words = createRoute({
  getParentRoute: () => root,
  path: "/words",
  component: lazyRouteComponent(() => import("./words-page"), "WordsPage"),
});

const logIns = createRoute({
  getParentRoute: () => root,
  path: "/log-ins",
  validateSearch: logInsSearch,
  component: lazyRouteComponent(() => import("../features/auth/components/log-ins-page"), "LogInsPage"),
});

/** Where one-time links and the OpenID provider lead; who is logged in goes on to a page. */
const logIn = createRoute({
  getParentRoute: () => root,
  path: "/login",
  component: lazyRouteComponent(
    () => import("../features/auth/components/log-in-link-page"),
    "LogInLinkPage",
  ),
});

const routeTree = root.addChildren([
  today,
  oneCase,
  appeals,
  oneAppeal,
  overview,
  tutors,
  tutor,
  upcoming,
  matching,
  outcomes,
  weekly,
  messages,
  honesty,
  whatIf,
  fairness,
  reports,
  webhooks,
  audit,
  notifications,
  logIns,
  words,
  logIn,
]);

export function createAppRouter(history?: RouterHistory) {
  const router = createRouter({
    routeTree,
    history,
    parseSearch: parseQuery,
    stringifySearch: writeQuery,
    defaultErrorComponent: PageProblem,
    defaultPreload: "intent",
    scrollRestoration: true,
  });
  noteWays(router);
  return router;
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
