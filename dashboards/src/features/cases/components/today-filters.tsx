import { SegmentedControl, Select } from "@mantine/core";
import { useRef } from "react";
import { SearchField } from "../../../components/search-field";
import type { ConcernName } from "../../../lib/api-types";
import { CONCERN_NAMES, concernLabel } from "../../../lib/concerns";
import { useKeys } from "../../../lib/keys";
import type { TodaySearch, Whose } from "../today-search";
import { useMe } from "../use-me";
import classes from "./today-filters.module.css";

interface TodayFiltersProps {
  search: TodaySearch;
  whose: Whose;
  onChange: (changes: Partial<TodaySearch>) => void;
}

export function TodayFilters({ search, whose, onChange }: TodayFiltersProps) {
  const field = useRef<HTMLInputElement>(null);
  const me = useMe();
  useKeys({ "/": () => field.current?.focus() });
  return (
    <search className={classes.filters}>
      <SegmentedControl
        className={classes.whose}
        aria-label="Whose cases"
        value={whose}
        onChange={(chosen) => onChange({ whose: chosen as Whose })}
        data={[
          // Nobody looks after anything with a key.
          ...(me ? [{ value: "mine", label: "Mine" }] : []),
          { value: "all", label: "All" },
          { value: "nobody", label: "Unassigned" },
        ]}
      />
      <SearchField
        ref={field}
        label="Search by name or id"
        placeholder="Search by name or id   /"
        className={classes.search}
        value={search.search}
        onChange={(text) => onChange({ search: text })}
      />
      <Select
        aria-label="Concern"
        placeholder="Any concern"
        className={classes.concern}
        clearable
        data={CONCERN_NAMES.map((value) => ({ value, label: concernLabel(value) }))}
        value={search.concern ?? null}
        onChange={(concern) => onChange({ concern: (concern as ConcernName | null) ?? undefined })}
      />
    </search>
  );
}
