import { Chip, Select } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useRef } from "react";
import { MyTutorsChip } from "../../../components/my-tutors-chip";
import { SearchField } from "../../../components/search-field";
import type { ConcernName, SubjectCount } from "../../../lib/api-types";
import { CONCERN_NAMES, concernLabel } from "../../../lib/concerns";
import type { TutorSearch } from "../tutor-search";
import classes from "./tutor-filters.module.css";
import { TutorSort } from "./tutor-sort";

/** Beside the names of concerns. */
const ATTENTION = "attention";

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
      <MyTutorsChip team={search.team} onChange={(team) => onChange({ team })} />
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
      <TutorSort search={search} onChange={onChange} />
      <Chip.Group
        multiple
        value={[...(search.attention === "yes" ? [ATTENTION] : []), ...(search.concern ?? [])]}
        onChange={(chosen) => {
          const concern = chosen.filter((name) => name !== ATTENTION) as ConcernName[];
          onChange({
            attention: chosen.includes(ATTENTION) ? "yes" : undefined,
            concern: concern.length > 0 ? concern : undefined,
          });
        }}
      >
        <fieldset className={classes.chips} aria-label="Concerns">
          <Chip value={ATTENTION} size="xs" radius="xl" variant="outline">
            Needs attention
          </Chip>
          {CONCERN_NAMES.map((name) => (
            <Chip key={name} value={name} size="xs" radius="xl" variant="outline">
              {concernLabel(name)}
            </Chip>
          ))}
        </fieldset>
      </Chip.Group>
    </search>
  );
}
