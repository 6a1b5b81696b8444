/** Tables for spreadsheets: RFC 4180, in UTF-8 with the mark that Excel needs to see it. */

type Cell = string | number | boolean | null | undefined | readonly string[];

export function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return `\uFEFF${[header, ...rows].map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

function cell(value: Cell): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value !== "string" && !Array.isArray(value)) return String(value);
  const text = Array.isArray(value) ? value.join("; ") : (value as string);
  // A spreadsheet would run a name that begins like this as a formula.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Hand rows to the reader as a file with these columns. */
export function downloadCsv<Name extends string>(
  fileName: string,
  columns: readonly Name[],
  rows: readonly Readonly<Record<Name, Cell>>[],
): void {
  const text = csv(
    columns,
    rows.map((row) => columns.map((name) => row[name])),
  );
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  URL.revokeObjectURL(url);
}
