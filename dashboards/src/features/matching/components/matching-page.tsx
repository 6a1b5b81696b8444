import { SegmentedControl } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { BackToOne } from "../../../components/back-link";
import { Page } from "../../../components/page";
import { useIsLead } from "../../../lib/auth";
import type { MatchingSearch } from "../matching-search";
import { AssignmentView } from "./assignment-view";
import { GenerateButton } from "./generate-button";
import { PairView } from "./pair-view";

/** Which student should be taught by whom: one pair at a time, or all at once. */
export function MatchingPage() {
  const search = useSearch({ from: "/matching" });
  const navigate = useNavigate({ from: "/matching" });
  const isLead = useIsLead();
  const change = (changes: Partial<MatchingSearch>) =>
    navigate({
      search: (before) => ({ ...before, ...changes }),
      replace: "studentSearch" in changes || "tutorSearch" in changes,
      resetScroll: false,
    });
  return (
    <Page
      back={<BackToOne />}
      title="Matching"
      note="Leaving risk: the chance that a student leaves after the first session with a tutor."
      actions={
        <>
          {isLead && <GenerateButton />}
          <SegmentedControl
            size="xs"
            aria-label="View"
            value={search.view ?? "pairs"}
            onChange={(view) => change({ view: view === "assignment" ? "assignment" : undefined })}
            data={[
              { value: "pairs", label: "Pairs" },
              { value: "assignment", label: "Assignment" },
            ]}
          />
        </>
      }
    >
      {search.view === "assignment" ? <AssignmentView /> : <PairView search={search} onChange={change} />}
    </Page>
  );
}
