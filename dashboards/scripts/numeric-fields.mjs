// Writes src/lib/numeric-fields.ts: the fields that are numbers wherever api/openapi.json knows them, and whether they
// may be null. Types are gone when the page runs; this is what it needs to tell a number from something else.
import { readFileSync, writeFileSync } from "node:fs";

const { schemas } = JSON.parse(readFileSync("../api/openapi.json", "utf8")).components;
const variants = (schema) =>
  (schema.anyOf ?? schema.oneOf ?? [schema]).map((one) =>
    one.type === "integer" ? "number" : (one.type ?? "other"),
  );

const found = new Map();
for (const { properties = {} } of Object.values(schemas)) {
  for (const [name, schema] of Object.entries(properties)) {
    found.set(name, new Set([...(found.get(name) ?? []), ...variants(schema)]));
  }
}
const numeric = [...found].filter(
  ([, types]) => types.has("number") && [...types].every((type) => type === "number" || type === "null"),
);
const lines = numeric.map(([name, types]) => `  ["${name}", ${types.has("null")}],`).sort();
writeFileSync(
  "src/lib/numeric-fields.ts",
  `// Made by scripts/numeric-fields.mjs. Name of a numeric field -> whether null is allowed.\n` +
    `export const NUMERIC_FIELDS: ReadonlyMap<string, boolean> = new Map([\n${lines.join("\n")}\n]);\n`,
);
