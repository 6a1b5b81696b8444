import { Chip, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback, useHotkeys } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";
import { Icon } from "../../../components/icons";
import { STATUS, STATUSES } from "../../../components/status-badge";
import type { RiskStatus, SubjectCount } from "../../../lib/api-types";
import type { TutorSearch } from "../tutor-search";
import classes from "./tutor-filters.module.css";

const ASK_AFTER_MS = 200;

interface TutorFiltersProps {
  search: TutorSearch;
  subjects: SubjectCount[];
  onChange: (changes: Partial<TutorSearch>) => void;
}

export function TutorFilters({ search, subjects, onChange }: TutorFiltersProps) {
  return (
    <search className={classes.filters}>
      <SearchField value={search.search ?? ""} onChange={(text) => onChange({ search: text || undefined })} />
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

/** Asks a moment after the last key, and follows the address when that changes by itself (back, forward). */
function SearchField({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const ask = useDebouncedCallback(onChange, ASK_AFTER_MS);
  useEffect(() => {
    if (document.activeElement !== field.current) setText(value);
  }, [value]);
  useHotkeys([["/", () => field.current?.focus()]]);
  return (
    <TextInput
      ref={field}
      className={classes.search}
      type="search"
      aria-label="Search by name or id"
      placeholder="Search by name or id   /"
      leftSection={<Icon name="search" />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        ask(event.currentTarget.value.trim());
      }}
    />
  );
}
