import { SegmentedControl } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Page } from "../../../components/page";
import { counted } from "../../../lib/format";
import { useTutors } from "../api/get-tutors";
import { isFiltered, type TutorSearch } from "../tutor-search";
import { ExportButton } from "./export-button";
import { FunnelPanel } from "./funnel-panel";
import { TutorFilters } from "./tutor-filters";
import { TutorTable } from "./tutor-table";
import classes from "./tutors-page.module.css";

/** All tutors: a table, and the same tutors as points. What is shown stands in the address. */
export function TutorsPage() {
  const search = useSearch({ from: "/tutors" });
  const navigate = useNavigate({ from: "/tutors" });
  const tutors = useTutors(search);
  const [view, setView] = useState("table");

  // Another filter or order begins with its first page; typing should not fill the history.
  const change = (changes: Partial<TutorSearch>) =>
    navigate({
      search: (before) => ({ ...before, page: undefined, ...changes }),
      replace: "search" in changes,
      resetScroll: false,
    });
  const total = tutors.data?.list.meta.total;
  return (
    <Page
      title="Tutors"
      note={
        total !== undefined &&
        `${counted(total, "tutor")}${isFiltered(search) ? " matching the filters" : ""}`
      }
      actions={<ExportButton search={search} disabled={!total} />}
    >
      <TutorFilters search={search} subjects={tutors.data?.funnel.data.subjects ?? []} onChange={change} />
      <SegmentedControl
        className={classes.switch}
        aria-label="View"
        value={view}
        onChange={setView}
        data={[
          { value: "table", label: "Table" },
          { value: "plot", label: "Plot" },
        ]}
      />
      <div className={classes.columns} data-view={view}>
        <div className={classes.table}>
          <TutorTable
            query={tutors}
            search={search}
            onChange={change}
            onClear={() => navigate({ search: {} })}
          />
        </div>
        <div className={classes.plot}>
          <FunnelPanel query={tutors} />
        </div>
      </div>
    </Page>
  );
}
