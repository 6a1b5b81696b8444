import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { forget } from "../lib/auth";
import { createQueryClient } from "../lib/query-client";
import { createAppRouter } from "./router";
import { theme, variables } from "./theme";

/** Everything that the pages stand on. */
export function App() {
  const [client] = useState(() => createQueryClient(forget));
  const [router] = useState(createAppRouter);
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
