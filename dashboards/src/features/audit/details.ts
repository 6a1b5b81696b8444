type Details = Record<string, unknown>;

/** What else an entry says, as one line; a change as before → after, and of rows before and after what differs. */
export function detailsOf(details: Details): string {
  if (isChange(details)) return change(details);
  return Object.entries(withoutSame(details))
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${isChange(value) ? change(value) : text(value)}`)
    .join(" · ");
}

const isChange = (value: unknown): value is Details =>
  typeof value === "object" && value !== null && Object.keys(value).sort().join() === "from,to";

function withoutSame({ before, after, ...others }: Details): Details {
  if (!isRow(before) || !isRow(after)) return { ...others, before, after };
  const changes = Object.keys({ ...before, ...after })
    .filter((name) => text(before[name]) !== text(after[name]))
    .map((name) => [name, { from: before[name], to: after[name] }]);
  return { ...Object.fromEntries(changes), ...others };
}

const isRow = (value: unknown): value is Details =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const change = ({ from, to }: Details): string => `${text(from)} → ${text(to)}`;

function text(value: unknown): string {
  if (value === null || value === undefined || value === "") return "none";
  if (Array.isArray(value)) return value.length > 0 ? value.map(text).join(", ") : "none";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
