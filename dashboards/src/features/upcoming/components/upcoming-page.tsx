import { Button, Group, Input, SegmentedControl, Select, Skeleton, TextInput } from "@mantine/core";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { BackToOne } from "../../../components/back-link";
import { ConcernBadges } from "../../../components/concern-badges";
import { EmptyState } from "../../../components/empty-state";
import { MyTutorsChip } from "../../../components/my-tutors-chip";
import { Page } from "../../../components/page";
import { Pages } from "../../../components/pages";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import { Risk } from "../../../components/risk";
import { SearchField } from "../../../components/search-field";
import { StandInLink } from "../../../components/stand-in-link";
import { CELL_LINK, type Column, Table } from "../../../components/table";
import type { UpcomingList, UpcomingSession } from "../../../lib/api-types";
import { clock, counted, day, percent, probability, shortMoment } from "../../../lib/format";
import { tutorName } from "../../../lib/person-name";
import { asRead } from "../../../lib/sentences";
import { subjectOf } from "../../../lib/subjects";
import { DAYS_SHOWN, PAGE_SIZE, useUpcoming } from "../api/get-upcoming";
import { type By, groups, nameOf } from "../groups";
import { DAYS, isFiltered, LEAST_RISKS, type UpcomingSearch } from "../upcoming-search";
import { StandInsDialog } from "./stand-ins-dialog";
import classes from "./upcoming-page.module.css";

/** Planned sessions, by tutor, day or student, and who could give them in place of their tutor. */
export function UpcomingPage() {
  const search = useSearch({ from: "/upcoming" });
  const navigate = useNavigate({ from: "/upcoming" });
  const upcoming = useUpcoming(search);
  // Other conditions begin with their first page; typing should not fill the history.
  const change = (changes: Partial<UpcomingSearch>) =>
    navigate({
      search: (before) => ({ ...before, page: undefined, ...changes }),
      replace: "search" in changes,
      resetScroll: false,
    });
  const total = upcoming.data?.meta.total;
  const span = spanOf(search, upcoming.data?.from);
  return (
    <Page
      back={<BackToOne />}
      title="Upcoming sessions"
      note={
        <>
          {total !== undefined &&
            `${counted(total, "planned session")} ${span}${isFiltered(search) ? ", matching the filters" : ""}. `}
          {upcoming.data && <Levels meta={upcoming.data.meta} />}
        </>
      }
    >
      <Filters search={search} onChange={change} />
      <QueryBoundary query={upcoming} skeleton={<ListSkeleton />}>
        {(list) => (
          <>
            <Sessions
              list={list}
              by={search.by ?? (search.first ? "risk" : "tutor")}
              areFirst={search.first !== undefined}
              isStale={upcoming.isPlaceholderData}
            />
            {list.data.length === 0 && (
              <Nothing
                search={search}
                span={span}
                onClear={() => navigate({ search: { by: search.by, days: search.days } })}
                onShowAll={() => change({ days: "all" })}
              />
            )}
            <Pages
              total={list.meta.total}
              pageSize={PAGE_SIZE}
              page={search.page ?? 1}
              onChange={(page) =>
                navigate({ search: (before) => ({ ...before, page: page === 1 ? undefined : page }) })
              }
            />
          </>
        )}
      </QueryBoundary>
      <StandInsDialog
        sessionId={search.session}
        onClose={() =>
          navigate({ search: (before) => ({ ...before, session: undefined }), resetScroll: false })
        }
      />
    </Page>
  );
}

/** What the levels are measured by. */
function Levels({ meta }: { meta: UpcomingList["meta"] }) {
  const usual =
    meta.let_down_usual === null ? "" : `; usual is ${percent(meta.let_down_usual, { digits: 0 })}`;
  return `Let-down risk: the chance that the tutor moves, cancels or misses the session${usual}. No-show risk: the chance that the student misses the session. A risk above ${percent(meta.let_down_limit, { digits: 0 })} counts as high.`;
}

interface FiltersProps {
  search: UpcomingSearch;
  onChange: (changes: Partial<UpcomingSearch>) => void;
}

function Filters({ search, onChange }: FiltersProps) {
  return (
    <search className={classes.filters}>
      <SearchField
        label="Tutor or student"
        isLabelVisible
        className={classes.search}
        value={search.search}
        onChange={(text) => onChange({ search: text })}
      />
      <TextInput
        type="date"
        label="First day"
        value={search.from ?? ""}
        onChange={(event) => onChange({ from: event.currentTarget.value || undefined, zone: undefined })}
      />
      <Select
        label="Days"
        className={classes.days}
        data={[
          { value: "1", label: "1 day" },
          { value: "", label: "7 days" },
          { value: "all", label: "All planned" },
        ]}
        allowDeselect={false}
        value={search.days ?? ""}
        onChange={(chosen) => onChange({ days: DAYS.find((days) => days === chosen) })}
      />
      <LeastRisk label="Let-down risk" value={search.risk} onChange={(risk) => onChange({ risk })} />
      <LeastRisk
        label="No-show risk"
        value={search.studentRisk}
        onChange={(studentRisk) => onChange({ studentRisk })}
      />
      <MyTutorsChip className={classes.team} team={search.team} onChange={(team) => onChange({ team })} />
      <Input.Wrapper label="Show" labelElement="div" id="show">
        <SegmentedControl
          fullWidth
          aria-labelledby="show-label"
          value={search.first ? "first" : "all"}
          onChange={(shown) => onChange({ first: shown === "first" ? "yes" : undefined })}
          data={[
            { value: "all", label: "All" },
            { value: "first", label: "First sessions" },
          ]}
        />
      </Input.Wrapper>
      <Input.Wrapper label="Group by" labelElement="div" id="group-by">
        <SegmentedControl
          fullWidth
          aria-labelledby="group-by-label"
          value={search.by ?? "risk"}
          onChange={(by) => onChange({ by: by === "day" || by === "student" ? by : undefined })}
          data={[
            { value: "risk", label: search.first ? "Risk" : "Tutor (risk)" },
            { value: "day", label: "Day" },
            { value: "student", label: "Student" },
          ]}
        />
      </Input.Wrapper>
    </search>
  );
}

interface LeastRiskProps {
  label: string;
  value: UpcomingSearch["risk"];
  onChange: (least: UpcomingSearch["risk"]) => void;
}

function LeastRisk({ label, value, onChange }: LeastRiskProps) {
  return (
    <Select
      label={label}
      className={classes.risk}
      data={[
        { value: "", label: "Any" },
        { value: "medium", label: "Medium or high" },
        { value: "high", label: "High" },
      ]}
      allowDeselect={false}
      value={value ?? ""}
      onChange={(chosen) => onChange(LEAST_RISKS.find((level) => level === chosen))}
    />
  );
}

interface SessionsProps {
  list: UpcomingList;
  by: By;
  areFirst: boolean;
  isStale: boolean;
}

function Sessions({ list: { data }, by, areFirst, isStale }: SessionsProps) {
  return groups(data, by).map(({ title, note, sessions }) => (
    // Tutors whose risk is the same or unknown take turns.
    <Panel key={sessions[0]?.session_id} title={title} note={note} flush>
      <Table
        label={LABEL[by](title)}
        columns={columns(by, areFirst)}
        rows={sessions}
        keyOf={(session) => session.session_id}
        isStale={isStale}
      />
    </Panel>
  ));
}

const LABEL: Record<By, (title: string) => string> = {
  day: (title) => `Sessions on ${title}`,
  student: (title) => `Sessions of ${title}`,
  tutor: (title) => `Sessions with ${title}`,
  risk: (title) => `First sessions, ${title.toLowerCase()}`,
};

/** Where first sessions are asked for. */
const PREPARATION: Column<UpcomingSession> = {
  header: "Prepare for",
  width: "26%",
  phone: { row: 6, side: "both", isLabelled: true },
  cell: ({ preparation }) =>
    preparation.length > 0 ? (
      <ul aria-label="What to prepare for" className={classes.preparation}>
        {preparation.map((fact) => (
          <li key={fact}>{asRead(fact)}</li>
        ))}
      </ul>
    ) : (
      "no special preparation"
    ),
};

function columns(by: By, areFirst: boolean): Column<UpcomingSession>[] {
  const when: Column<UpcomingSession> = {
    header: "When",
    isRowHeader: true,
    overflow: "nowrap",
    width: by === "day" ? "9rem" : "14rem",
    phone: { row: 1, side: "start" },
    cell: ({ scheduled_time }) => (by === "day" ? clock(scheduled_time) : shortMoment(scheduled_time)),
  };
  const student: Column<UpcomingSession> = {
    header: "Student",
    width: areFirst ? "14%" : "22%",
    phone: { row: 2, side: "both" },
    cell: nameOf,
    detail: ({ student_external_id, student_id, is_first_meeting }) =>
      [student_external_id ?? student_id.slice(0, 8), is_first_meeting && "first meeting"]
        .filter(Boolean)
        .join(" · "),
  };
  const others: Column<UpcomingSession>[] = [
    {
      header: "Subject",
      width: areFirst ? "10%" : "14%",
      phone: { row: 4, side: "start" },
      cell: ({ subject }) => subjectOf(subject, "No subject"),
      detail: (session) => by === "student" && session.is_first_meeting && "first meeting",
    },
    {
      header: "Tutor",
      phone: { row: 3, side: "both" },
      cell: (session) => (
        <span className={classes.tutor}>
          <Link to="/tutors/$tutorId" params={{ tutorId: session.tutor_id }} className={CELL_LINK}>
            {tutorName({ ...session, name: session.tutor_name, external_id: session.tutor_external_id })}
          </Link>
          <ConcernBadges concerns={session.tutor_concerns} />
        </span>
      ),
      detail: ({ tutor_name, tutor_external_id }) => tutor_name && tutor_external_id,
    },
    {
      header: "Risk",
      overflow: "nowrap",
      width: "16rem",
      phone: { row: 5, side: "both" },
      cell: (session) => (
        <span className={classes.risks}>
          <Risk of="let-down" level={session.risk_level} probability={session.let_down_probability} />
          <Risk
            of="no-show"
            level={session.student_risk_level}
            probability={session.student_no_show_probability}
          />
          {session.is_first_meeting && (
            <>
              <Risk of="leaving" level={session.churn_risk_level} probability={session.churn_probability} />
              {session.first_session_risk !== null && (
                <span className={classes.both}>
                  {probability(session.first_session_risk)} risk that this session fails or is the last
                </span>
              )}
              <Link
                to="/matching"
                search={{ student: session.student_id, tutor: session.tutor_id }}
                className={CELL_LINK}
              >
                How to prepare
              </Link>
            </>
          )}
        </span>
      ),
    },
    ...(areFirst ? [PREPARATION] : []),
    {
      header: "Find a stand-in",
      isHeaderHidden: true,
      align: "right",
      width: "10rem",
      phone: { row: 4, side: "end" },
      cell: (session) => <StandInLink sessionId={session.session_id} session={session} />,
    },
  ];
  return by === "student" ? [when, ...others] : [when, student, ...others];
}

/** "in the next 7 days", "on 31 Jan 2026 in Europe/Vienna"; from a day, if not from now on. */
function spanOf({ days, zone }: UpcomingSearch, from: string | undefined): string {
  if (from === undefined) {
    if (days === "all") return "from now on";
    return days === "1" ? "for the rest of today" : `in the next ${DAYS_SHOWN} days`;
  }
  const first = zone ? `${day(from)} in ${zone}` : day(from);
  if (days === "all") return `from ${first} on`;
  return days === "1" ? `on ${first}` : `in the ${DAYS_SHOWN} days from ${first}`;
}

interface NothingProps {
  search: UpcomingSearch;
  span: string;
  onClear: () => void;
  onShowAll: () => void;
}

function Nothing({ search, span, onClear, onShowAll }: NothingProps) {
  const all = search.days !== "all" && (
    <Button size="xs" variant="default" onClick={onShowAll}>
      Show all planned
    </Button>
  );
  return (
    <Panel>
      {isFiltered(search) ? (
        <EmptyState
          icon="search"
          title={`No planned sessions match the filters ${span}`}
          action={
            <Group gap="xs">
              {all}
              <Button size="xs" variant="default" onClick={onClear}>
                Clear filters
              </Button>
            </Group>
          }
        />
      ) : (
        <EmptyState title={`No sessions are planned ${span}`} action={all}>
          Sessions with the status “scheduled” appear here.
        </EmptyState>
      )}
    </Panel>
  );
}

const SKELETON_GROUPS = ["first", "second"];

function ListSkeleton() {
  return (
    <div className={classes.skeleton}>
      {SKELETON_GROUPS.map((group) => (
        <Skeleton key={group} height={260} radius={10} />
      ))}
    </div>
  );
}
