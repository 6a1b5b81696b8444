import { Chip, Select } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useRef } from "react";
import { SearchField } from "../../../components/search-field";
import { STATUS, STATUSES } from "../../../components/status-badge";
import type { RiskStatus, SubjectCount } from "../../../lib/api-types";
import type { TutorSearch } from "../tutor-search";
import classes from "./tutor-filters.module.css";

interface TutorFiltersProps {
  search: TutorSearch;
  subjects: SubjectCount[];
  onChange: (changes: Partial<TutorSearch>) => void;
}

export function TutorFilters({ search, subjects, onChange }: TutorFiltersProps) {
  const field = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => field.current?.focus()]]);
  return (
    <search className={classes.filters}>
      <SearchField
        ref={field}
        label="Search by name or id"
        placeholder="Search by name or id   /"
        className={classes.search}
        value={search.search}
        onChange={(text) => onChange({ search: text })}
      />
      <Chip.Group
        multiple
        value={search.risk ?? []}
        onChange={(risk) => onChange({ risk: risk.length > 0 ? (risk as RiskStatus[]) : undefined })}
      >
        <fieldset className={classes.chips} aria-label="Status">
          {STATUSES.map((status) => (
            <Chip key={status} value={status} size="xs" radius="xl" variant="outline">
              {STATUS[status].label}
            </Chip>
          ))}
        </fieldset>
      </Chip.Group>
      <Select
        aria-label="Subject"
        placeholder="Any subject"
        className={classes.subject}
        searchable
        clearable
        data={subjects.map(({ subject, tutors }) => ({ value: subject, label: `${subject} (${tutors})` }))}
        value={search.subject ?? null}
        onChange={(subject) => onChange({ subject: subject ?? undefined })}
        nothingFoundMessage="No such subject"
      />
      <Select
        aria-label="Active or not"
        className={classes.active}
        data={[
          { value: "", label: "Active or not" },
          { value: "yes", label: "Active" },
          { value: "no", label: "Not active" },
        ]}
        allowDeselect={false}
        value={search.active ?? ""}
        onChange={(active) => onChange({ active: active === "yes" || active === "no" ? active : undefined })}
      />
    </search>
  );
}
