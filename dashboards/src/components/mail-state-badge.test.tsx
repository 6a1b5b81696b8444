import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { MailStateBadge } from "./mail-state-badge";

it.each([
  ["file", null, "Written to file"],
  ["smtp", null, "Sent"],
  ["brevo", "2026-02-01T10:00:00Z", "Delivered"],
])("what the provider %s has taken is not what somebody got", (provider, delivered_at, label) => {
  render(
    <MantineProvider>
      <MailStateBadge report={{ state: "sent", provider, delivered_at }} />
    </MantineProvider>,
  );
  expect(screen.getByText(label)).toBeTruthy();
});
