import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, waitFor } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, it } from "vitest";
import { at, server, serving } from "../../testing/server";
import { WaitingCount } from "./components/waiting";

serving();

it.each([
  ["coach", ""],
  ["lead", "3 open"],
  ["admin", "3 open"],
])("shows a %s how many appeals are open: “%s”", async (role, words) => {
  server.use(
    http.get(at("/api/auth/session"), () => HttpResponse.json({ role })),
    http.get(at("/api/appeals"), () =>
      HttpResponse.json({ data: [], meta: { total: 3, open: 3, overdue: 0 } }),
    ),
  );
  const client = new QueryClient();
  const { container } = render(
    <MantineProvider>
      <QueryClientProvider client={client}>
        <div className="count">
          <WaitingCount />
        </div>
      </QueryClientProvider>
    </MantineProvider>,
  );
  await waitFor(() => {
    expect(client.isFetching()).toBe(0);
    expect(container.querySelector(".count")?.textContent).toBe(words);
  });
});
