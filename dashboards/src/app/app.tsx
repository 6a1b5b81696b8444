import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { createQueryClient } from "../lib/query";
import { forget } from "../lib/session";
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
