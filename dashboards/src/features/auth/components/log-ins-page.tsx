import { Button, SegmentedControl } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ErrorNotice } from "../../../components/notice";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { type Column, QueryTable } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { ListedSession } from "../../../lib/api-types";
import { useIsAdmin } from "../../../lib/auth";
import { moment } from "../../../lib/format";
import { useEndLogIn, useLogIns } from "../api/log-ins";
import { browserName } from "../browser-name";

const OPENED_BY: Record<ListedSession["opened_by"], string> = {
  key: "API key",
  link: "Log-in link",
  mail: "Mailed link",
  oidc: "Organisation",
};

/** Browsers where the reader is logged in, to end what is not theirs; for admins also everybody's. */
export function LogInsPage() {
  const isAdmin = useIsAdmin();
  const isEverybody = useSearch({ from: "/log-ins" }).of === "everybody" && isAdmin;
  const navigate = useNavigate({ from: "/log-ins" });
  const logIns = useLogIns(isEverybody);
  const end = useEndLogIn();
  const endColumn: Column<ListedSession> = {
    header: "End",
    isHeaderHidden: true,
    align: "right",
    phone: { row: 1, side: "end" },
    cell: (logIn) =>
      logIn.is_current ? (
        <Tag tone="ok" label="This browser" />
      ) : (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`End: ${logIn.name}, ${browserName(logIn.user_agent)}`}
          loading={end.isPending && end.variables === logIn.browser_session_id}
          onClick={() => end.mutate(logIn.browser_session_id)}
        >
          End
        </Button>
      ),
  };
  return (
    <Page
      title={isEverybody ? "Who is logged in" : "Where you are logged in"}
      note="End any log-in you do not recognise."
      actions={
        isAdmin && (
          <SegmentedControl
            size="xs"
            aria-label="Whose log-ins"
            data={[
              { value: "own", label: "Yours" },
              { value: "everybody", label: "Everybody" },
            ]}
            value={isEverybody ? "everybody" : "own"}
            onChange={(of) => navigate({ search: of === "everybody" ? { of } : {}, replace: true })}
          />
        )
      }
    >
      {end.error && <ErrorNotice text={end.error.message} />}
      <Panel flush>
        <QueryTable
          label="Log-ins"
          query={logIns}
          rowsOf={({ data }) => data}
          columns={[...(isEverybody ? [WHO] : []), ...COLUMNS, endColumn]}
          keyOf={(logIn) => logIn.browser_session_id}
          skeletonRows={3}
          empty={() => null}
        />
      </Panel>
    </Page>
  );
}

const WHO: Column<ListedSession> = {
  header: "Who",
  overflow: "anywhere",
  phone: { row: 2, side: "both" },
  cell: (logIn) => logIn.name,
  detail: (logIn) => logIn.role,
};

const COLUMNS: Column<ListedSession>[] = [
  {
    header: "Browser",
    isRowHeader: true,
    overflow: "anywhere",
    phone: { row: 1, side: "start" },
    cell: (logIn) => <span title={logIn.user_agent ?? undefined}>{browserName(logIn.user_agent)}</span>,
    detail: (logIn) => logIn.address,
  },
  {
    header: "By",
    phone: { row: 3, side: "both", isLabelled: true },
    cell: (logIn) => OPENED_BY[logIn.opened_by],
  },
  {
    header: "Logged in",
    overflow: "nowrap",
    phone: { row: 4, side: "both", isLabelled: true },
    cell: (logIn) => moment(logIn.created_at),
  },
  {
    header: "Last used",
    overflow: "nowrap",
    phone: { row: 5, side: "both", isLabelled: true },
    cell: (logIn) => moment(logIn.last_seen_at),
  },
];
