import { Skeleton, VisuallyHidden } from "@mantine/core";
import { type ReactNode, useRef } from "react";
import { moveWithArrowKeys } from "./arrow-keys";
import { Icon } from "./icons";
import { QueryBoundary, type QueryState } from "./query-boundary";
import classes from "./table.module.css";
import { useChangedRows } from "./use-changed-rows";

export interface Column<Row, Sort extends string = never> {
  header: string;
  /** For a column of buttons, whose header is only for screen readers. */
  isHeaderHidden?: boolean;
  cell: (row: Row) => ReactNode;
  /** A second, quieter line. */
  detail?: (row: Row) => ReactNode;
  /** The cell names its row. */
  isRowHeader?: boolean;
  /** What the API calls the order by this column. */
  sort?: Sort;
  align?: "right";
  /** Of text that is too long; without it, lines break between words. */
  overflow?: "nowrap" | "ellipsis" | "anywhere";
  /** A CSS width. */
  width?: string;
  /** The cell's place in the card that a row becomes on a phone. If no column has a place, the table stays a table. */
  phone?: PhonePlace | "hidden";
}

interface PhonePlace {
  row: number;
  side: "start" | "end" | "both";
  /** Cards have no header; a value that says little without it is shown behind it. */
  isLabelled?: boolean;
}

interface Sorting<Sort extends string> {
  by: Sort;
  order: "asc" | "desc";
  onSort: (sort: Sort) => void;
}

interface TableOptions<Row, Sort extends string> {
  /** What the rows are, for screen readers. */
  label: string;
  columns: readonly Column<Row, Sort>[];
  keyOf: (row: Row) => string | number;
  sorting?: Sorting<Sort>;
  isCompact?: boolean;
  /** Columns keep their widths whatever the rows hold, and their headings stay in sight while one scrolls. */
  isSteady?: boolean;
}

interface TableProps<Row, Sort extends string> extends TableOptions<Row, Sort> {
  rows: readonly Row[];
  /** The rows answer an earlier question, and the answer to the present one is awaited. */
  isStale?: boolean;
}

/** To spread on the link or button of a row: it covers the whole row, and arrow keys go from one to the next. */
export const ROW_LINK = { className: classes.rowLink, "data-row-link": true } as const;

/** For a link within a cell. */
export const CELL_LINK = classes.cellLink;

export function Table<Row, Sort extends string = never>(props: TableProps<Row, Sort>) {
  const {
    label,
    columns,
    rows,
    keyOf,
    sorting,
    isCompact = false,
    isSteady = false,
    isStale = false,
  } = props;
  const isFolding = columns.some(({ phone }) => typeof phone === "object");
  const body = useRef<HTMLTableSectionElement>(null);
  useChangedRows(body, [label, ...columns.map(({ header }) => header)].join("\n"), isStale);
  return (
    <table
      className={classes.table}
      aria-label={label}
      aria-busy={isStale}
      data-compact={isCompact}
      data-steady={isSteady}
      data-folding={isFolding}
    >
      <thead>
        <tr>
          {columns.map((column) => (
            <HeaderCell key={column.header} column={column} sorting={sorting} />
          ))}
        </tr>
      </thead>
      <tbody ref={body} onKeyDown={moveWithArrowKeys("[data-row-link]")}>
        {rows.map((row) => (
          <tr key={keyOf(row)} data-key={keyOf(row)}>
            {columns.map((column) => (
              <Cell key={column.header} column={column} row={row} />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface QueryTableProps<Data, Row, Sort extends string> extends TableOptions<Row, Sort> {
  query: QueryState<Data>;
  rowsOf: (data: Data) => readonly Row[];
  skeletonRows: number;
  /** In place of the table, if it gives anything. */
  empty: (data: Data) => ReactNode;
  footer?: (data: Data) => ReactNode;
}

/** A table of what a query has, or how the query stands. */
export function QueryTable<Data, Row, Sort extends string = never>({
  query,
  rowsOf,
  skeletonRows,
  empty,
  footer,
  ...options
}: QueryTableProps<Data, Row, Sort>) {
  return (
    <QueryBoundary query={query} skeleton={<TableSkeleton rows={skeletonRows} />}>
      {(data) =>
        empty(data) || (
          <>
            <Table rows={rowsOf(data)} isStale={query.isPlaceholderData} {...options} />
            {footer?.(data)}
          </>
        )
      }
    </QueryBoundary>
  );
}

interface HeaderCellProps<Row, Sort extends string> {
  column: Column<Row, Sort>;
  sorting: Sorting<Sort> | undefined;
}

function HeaderCell<Row, Sort extends string>({ column, sorting }: HeaderCellProps<Row, Sort>) {
  const { header, isHeaderHidden, sort, align, width, phone } = column;
  const order = sort !== undefined && sorting?.by === sort ? sorting.order : undefined;
  return (
    <th
      scope="col"
      style={{ width }}
      data-align={align}
      data-phone={phone === "hidden" ? phone : undefined}
      aria-sort={order && (order === "asc" ? "ascending" : "descending")}
    >
      {isHeaderHidden ? (
        <VisuallyHidden>{header}</VisuallyHidden>
      ) : sort !== undefined && sorting ? (
        <button
          type="button"
          className={classes.sort}
          onClick={() => sorting.onSort(sort)}
          data-sorted={order !== undefined}
        >
          {header}
          <Icon name={order ? (order === "asc" ? "up" : "down") : "sort"} size={13} />
        </button>
      ) : (
        header
      )}
    </th>
  );
}

function Cell<Row, Sort extends string>({ column, row }: { column: Column<Row, Sort>; row: Row }) {
  const { header, cell, isRowHeader, align, overflow, phone } = column;
  const place = typeof phone === "object" ? phone : undefined;
  const detail = column.detail?.(row);
  const attributes = {
    style: place && { gridArea: `${place.row} / ${GRID_COLUMNS[place.side]}` },
    "data-align": align,
    "data-overflow": overflow,
    "data-phone": place ? place.side : phone,
    "data-quiet": place && place.row > 1,
    "data-label": place?.isLabelled ? header : undefined,
  };
  const content = (
    <>
      {cell(row)}
      {detail && <span className={classes.detail}>{detail}</span>}
    </>
  );
  return isRowHeader ? (
    <th scope="row" {...attributes}>
      {content}
    </th>
  ) : (
    <td {...attributes}>{content}</td>
  );
}

const GRID_COLUMNS = { start: "1", end: "2", both: "1 / auto / -1" };

function TableSkeleton({ rows }: { rows: number }) {
  return (
    <div className={classes.skeleton}>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Skeleton key={row} height={36} />
      ))}
    </div>
  );
}
