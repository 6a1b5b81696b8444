import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { forget } from "../lib/auth";
import { Live } from "../lib/live";
import { LiveContext } from "../lib/live-context";
import { createQueryClient } from "../lib/query-client";
import { createAppRouter } from "./router";
import { theme, variables } from "./theme";

/** Everything that the pages stand on. */
export function App() {
  const [live] = useState(() => new Live());
  const [client] = useState(() => createQueryClient(forget, () => live.isLive));
  const [router] = useState(createAppRouter);
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <LiveContext value={live}>
          <RouterProvider router={router} />
        </LiveContext>
      </QueryClientProvider>
    </MantineProvider>
  );
}
