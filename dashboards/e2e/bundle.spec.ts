import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "@playwright/test";

interface Chunk {
  file: string;
  imports?: string[];
  dynamicImports?: string[];
}

const manifest: Record<string, Chunk> = JSON.parse(readFileSync("dist/.vite/manifest.json", "utf8"));
const MOST_BYTES = 250_000;

/** What must be there before a chunk can run. */
function closure(names: string[]): Set<string> {
  const found = new Set<string>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    waiting.push(...(manifest[name]?.imports ?? []));
  }
  return found;
}

const PAGES = Object.keys(manifest).filter((name) => name.endsWith("-page.tsx"));

test("every page is a chunk of its own", () => {
  expect(PAGES.length).toBeGreaterThanOrEqual(6);
});

for (const page of PAGES) {
  test(`${page}: little JavaScript, and no chart library, before it is drawn`, () => {
    const names = closure(["index.html", page]);
    expect([...names].filter((name) => name.includes("chart-drawing"))).toEqual([]);
    const bytes = [...names].map((name) => gzipSync(readFileSync(`dist/${manifest[name]?.file}`)).length);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES);
  });
}
