import { Button } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Page } from "../../../components/page";
import { Panel } from "../../../components/panel";
import { type Column, QueryTable, ROW_LINK } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { WebhookEndpoint } from "../../../lib/api-types";
import { moment } from "../../../lib/format";
import { useWebhooks } from "../api/webhooks";
import { kindLabel } from "../event-kinds";
import { standing, standingDetail } from "../standing";
import { AddWebhook } from "./add-webhook";
import { WebhookDrawer } from "./webhook-drawer";

/** Addresses of other programs that are told of events, for admins. */
export function WebhooksPage() {
  const search = useSearch({ from: "/webhooks" });
  const navigate = useNavigate({ from: "/webhooks" });
  const [isAdding, setAdding] = useState(false);
  const webhooks = useWebhooks();
  const open = (endpointId: string | undefined) =>
    navigate({ search: endpointId ? { open: endpointId } : {}, resetScroll: false });
  const add = <Button onClick={() => setAdding(true)}>Add webhook</Button>;
  return (
    <Page
      title="Webhooks"
      note="Send signed events to other programs"
      actions={webhooks.data && webhooks.data.data.length > 0 && add}
    >
      <Panel flush>
        <QueryTable
          label="Webhooks"
          query={webhooks}
          rowsOf={({ data }) => data}
          columns={columns(open)}
          keyOf={(webhook) => webhook.endpoint_id}
          skeletonRows={3}
          empty={({ data }) =>
            data.length === 0 && (
              <EmptyState icon="move" title="No webhooks yet" action={add}>
                A webhook posts events to your address as they happen.
              </EmptyState>
            )
          }
        />
      </Panel>
      <AddWebhook isOpen={isAdding} onClose={() => setAdding(false)} />
      <WebhookDrawer
        webhook={webhooks.data?.data.find((each) => each.endpoint_id === search.open)}
        page={search.page ?? 1}
        onPage={(page) => navigate({ search: { open: search.open, page }, resetScroll: false })}
        onClose={() => open(undefined)}
      />
    </Page>
  );
}

const columns = (open: (endpointId: string) => void): Column<WebhookEndpoint>[] => [
  {
    header: "Address",
    isRowHeader: true,
    overflow: "anywhere",
    phone: { row: 1, side: "start" },
    cell: (webhook) => (
      <button type="button" onClick={() => open(webhook.endpoint_id)} {...ROW_LINK}>
        {webhook.description ?? webhook.host}
      </button>
    ),
    detail: (webhook) => webhook.description && webhook.host,
  },
  {
    header: "Events",
    phone: { row: 2, side: "both" },
    cell: (webhook) => webhook.kinds.map(kindLabel).join(", "),
  },
  {
    header: "Last delivered",
    overflow: "nowrap",
    phone: { row: 3, side: "both", isLabelled: true },
    cell: (webhook) => moment(webhook.last_accepted_at, "never"),
  },
  {
    header: "State",
    phone: { row: 1, side: "end" },
    cell: (webhook) => <Tag {...standing(webhook)} />,
    detail: standingDetail,
  },
];
