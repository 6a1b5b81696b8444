import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    // Asked by the tests for what the first page loads.
    manifest: true,
    // The chart library, which is loaded when a chart is first shown.
    chunkSizeWarningLimit: 600,
    // A font or picture in a data: address could not be cached on its own.
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/api": process.env.TUTORQ_API ?? "http://127.0.0.1:8000" } },
  // Only what renders needs a page: making one takes longer than most files' tests, and so does importing what renders.
  test: {
    testTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "logic", environment: "node", include: ["src/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "components",
          environment: "jsdom",
          // Files share both; setup.ts puts the page back after each test.
          isolate: false,
          include: ["src/**/*.test.tsx"],
          setupFiles: "src/testing/setup.ts",
        },
      },
    ],
  },
});
