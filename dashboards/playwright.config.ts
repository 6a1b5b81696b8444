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
  timeout: 60_000,
  expect: { timeout: 15_000 },
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
