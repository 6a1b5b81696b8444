import { ActionIcon, Select } from "@mantine/core";
import { Icon } from "../../../components/icons";
import { CONCERN_NAMES, concernLabel } from "../../../lib/concerns";
import {
  concernSort,
  DEFAULT_SORT,
  defaultOrder,
  type Sort,
  sorted,
  type TutorSearch,
} from "../tutor-search";
import classes from "./tutor-filters.module.css";

const CHOICES: { group: string; items: { value: Sort; label: string }[] }[] = [
  {
    group: "Order",
    items: [
      { value: "attention", label: "Most urgent" },
      { value: "harm_sessions", label: "Sessions at risk" },
      { value: "name", label: "Name" },
      { value: "let_down_rate_expected", label: "Let-downs" },
      { value: "sessions_90d", label: "Sessions" },
      { value: "trend_30d", label: "Trend" },
      { value: "quality_score", label: "Quality" },
      { value: "stop_probability", label: "May stop" },
    ],
  },
  {
    group: "Probability of a concern",
    items: CONCERN_NAMES.map((name) => ({ value: concernSort(name), label: concernLabel(name) })),
  },
];

interface TutorSortProps {
  search: TutorSearch;
  onChange: (changes: Partial<TutorSearch>) => void;
}

/** The order, also where the table has no header: on a telephone, and of concerns without a column. */
export function TutorSort({ search, onChange }: TutorSortProps) {
  const by = search.sort ?? DEFAULT_SORT;
  const order = search.order ?? defaultOrder(by);
  const other = order === "asc" ? "desc" : "asc";
  return (
    <div className={classes.sort}>
      <Select
        aria-label="Sort by"
        leftSection={<Icon name="sort" size={14} />}
        data={CHOICES}
        value={by}
        onChange={(chosen) => onChange(sorted((chosen ?? DEFAULT_SORT) as Sort))}
        allowDeselect={false}
        comboboxProps={{ width: 230, position: "bottom-start" }}
      />
      <ActionIcon
        variant="default"
        size={36}
        aria-label={other === "asc" ? "Sort ascending" : "Sort descending"}
        onClick={() => onChange(sorted(by, other))}
      >
        <Icon name={order === "asc" ? "up" : "down"} size={14} />
      </ActionIcon>
    </div>
  );
}
