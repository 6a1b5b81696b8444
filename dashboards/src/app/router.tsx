import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from "@tanstack/react-router";
import { noteWays } from "../components/way-back";
import { auditSearch } from "../features/audit/audit-search";
import { logInsSearch } from "../features/auth/log-ins-search";
import { outcomesSearch } from "../features/cases/outcomes-search";
import { todaySearch } from "../features/cases/today-search";
import { matchingSearch } from "../features/matching/matching-search";
import { reportSearch } from "../features/reports/report-search";
import { tutorSearch } from "../features/tutors/tutor-search";
import { upcomingSearch } from "../features/upcoming/upcoming-search";
import { parseQuery, writeQuery } from "../lib/search-params";
import { NotFound, PageProblem } from "./error-pages";
import { Shell } from "./shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const today = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: todaySearch,
  component: lazyRouteComponent(() => import("../features/cases/components/today-page"), "TodayPage"),
});

const oneCase = createRoute({
  getParentRoute: () => root,
  path: "/cases/$caseId",
  component: lazyRouteComponent(() => import("../features/cases/components/case-page"), "CasePage"),
});

const outcomes = createRoute({
  getParentRoute: () => root,
  path: "/outcomes",
  validateSearch: outcomesSearch,
  component: lazyRouteComponent(() => import("../features/cases/components/outcomes-page"), "OutcomesPage"),
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

const reports = createRoute({
  getParentRoute: () => root,
  path: "/reports",
  validateSearch: reportSearch,
  component: lazyRouteComponent(() => import("../features/reports/components/reports-page"), "ReportsPage"),
});

const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("../features/audit/components/audit-page"), "AuditPage"),
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
  overview,
  tutors,
  tutor,
  upcoming,
  matching,
  outcomes,
  reports,
  audit,
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
