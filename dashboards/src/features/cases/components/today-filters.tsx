import { Chip, SegmentedControl, Select } from "@mantine/core";
import { useRef } from "react";
import { SearchField } from "../../../components/search-field";
import type { ConcernName } from "../../../lib/api-types";
import { CONCERN_NAMES, concernLabel } from "../../../lib/concerns";
import { month } from "../../../lib/format";
import { useKeys } from "../../../lib/keys";
import { useOwners } from "../api/get-owners";
import { ACTIONS, NO_CONTACT, REASONS } from "../case-words";
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
  const owner = useOwner(whose);
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
          // Only where an address asks for somebody's.
          ...(owner ? [{ value: whose, label: owner }] : []),
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
      {fromElsewhere(search).map(({ label, without }) => (
        <Chip
          key={label}
          size="xs"
          radius="xl"
          variant="outline"
          checked={true}
          onChange={() => onChange(without)}
        >
          {label}
        </Chip>
      ))}
    </search>
  );
}

/** The name of the one person whose cases are shown; null if they are not one person's. */
function useOwner(whose: Whose): string | null {
  const id = Number(whose);
  const owners = useOwners(id > 0).data?.data;
  if (!(id > 0)) return null;
  return owners?.find(({ person_id }) => person_id === id)?.name ?? "One owner";
}

/** Filters that only links set, as those of Outcomes, and how to do without each. */
function fromElsewhere({ reason, action, from, to }: TodaySearch) {
  const found: { label: string; without: Partial<TodaySearch> }[] = [];
  if (from || to) found.push({ label: opened(from, to), without: { from: undefined, to: undefined } });
  if (reason) found.push({ label: `Closed: ${REASONS[reason]}`, without: { reason: undefined } });
  if (action) {
    const label = action === "no_contact" ? NO_CONTACT : `Agreed: ${ACTIONS[action]}`;
    found.push({ label, without: { action: undefined } });
  }
  return found;
}

function opened(from: string | undefined, to: string | undefined): string {
  if (from === to) return `Opened in ${month(from)}`;
  return ["Opened", from && `from ${month(from)}`, to && `until ${month(to)}`].filter(Boolean).join(" ");
}
