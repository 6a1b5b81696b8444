import { defineConfig } from "@playwright/test";
import chromium from "@sparticuz/chromium";

/**
 * Tests of the page on a running installation, which tests/e2e/test_dashboard.py starts and names by these variables.
 * The browser comes out of an npm package and needs nothing of the system; TUTORQ_CHROMIUM names another one.
 */
export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  workers: 2,
  fullyParallel: true,
  // A test that fails once has failed.
  retries: 0,
  // Generous, for busy machines; a test that passes waits for what it expects only.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  // One more case of a matrix is tagged @soak, as in the other tests; one case of each stays in the gate.
  ...(process.env.TUTORQ_E2E_TIER === "soak" ? { grep: /@soak/ } : { grepInvert: /@soak/ }),
  reporter: "list",
  // What is to find that nothing has changed goes before what changes something.
  projects: [
    { name: "still", testMatch: "polling.spec.ts" },
    { name: "changing", testIgnore: "polling.spec.ts", dependencies: ["still"] },
  ],
  use: {
    baseURL: process.env.TUTORQ_URL,
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    timezoneId: "Europe/Vienna",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.TUTORQ_CHROMIUM ?? (await chromium.executablePath()),
      args: ["--no-sandbox", "--headless=shell"],
    },
  },
});
