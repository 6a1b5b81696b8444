import { Button, Modal, Skeleton } from "@mantine/core";
import { useState } from "react";
import { EmptyState } from "../../../components/empty-state";
import { ErrorNotice } from "../../../components/notice";
import { Pages } from "../../../components/pages";
import { QueryBoundary } from "../../../components/query-boundary";
import { type Column, QueryTable, ROW_LINK } from "../../../components/table";
import { Tag } from "../../../components/tag";
import type { WebhookAttempt, WebhookDelivery, WebhookEndpoint } from "../../../lib/api-types";
import { counted, decimal, moment } from "../../../lib/format";
import { PAGE_SIZE, useDeliveries, useDelivery, useReplay } from "../api/webhooks";
import { DELIVERY_STATE, kindLabel } from "../event-kinds";
import classes from "./webhook-drawer.module.css";

interface DeliveriesProps {
  webhook: WebhookEndpoint;
  page: number;
  onPage: (page: number | undefined) => void;
}

/** What became of each delivery, the newest first. */
export function Deliveries({ webhook, page, onPage }: DeliveriesProps) {
  const [open, setOpen] = useState<string>();
  const deliveries = useDeliveries(webhook.endpoint_id, page);
  return (
    <section aria-label="Deliveries">
      <h2 className={classes.title}>Deliveries</h2>
      <QueryTable
        label="Deliveries"
        query={deliveries}
        rowsOf={({ data }) => data}
        columns={columns(setOpen)}
        keyOf={(delivery) => delivery.delivery_id}
        skeletonRows={5}
        isCompact
        empty={({ data }) =>
          data.length === 0 && <EmptyState title="Nothing delivered yet">Send a test to see one.</EmptyState>
        }
        footer={({ meta }) => (
          <Pages
            total={meta.total}
            pageSize={PAGE_SIZE}
            page={page}
            onChange={(next) => onPage(next === 1 ? undefined : next)}
          />
        )}
      />
      <Modal
        opened={open !== undefined}
        onClose={() => setOpen(undefined)}
        title="Delivery"
        size="lg"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {open && <Delivery webhook={webhook} deliveryId={open} />}
      </Modal>
    </section>
  );
}

const result = (delivery: WebhookDelivery): string =>
  [
    delivery.error,
    delivery.next_attempt_at && delivery.attempts > 0 && `again ${moment(delivery.next_attempt_at)}`,
  ]
    .filter(Boolean)
    .join("; ");

const columns = (open: (deliveryId: string) => void): Column<WebhookDelivery>[] => [
  {
    header: "Event",
    isRowHeader: true,
    phone: { row: 1, side: "start" },
    cell: (delivery) => (
      <button type="button" onClick={() => open(delivery.delivery_id)} {...ROW_LINK}>
        {kindLabel(delivery.kind)}
      </button>
    ),
    detail: (delivery) => moment(delivery.created_at),
  },
  {
    header: "Answer",
    phone: { row: 2, side: "both", isLabelled: true },
    cell: (delivery) => delivery.answer_code ?? "–",
    detail: (delivery) => delivery.attempts > 1 && counted(delivery.attempts, "attempt"),
  },
  {
    header: "State",
    phone: { row: 1, side: "end" },
    cell: (delivery) => <Tag {...DELIVERY_STATE[delivery.state]} />,
    detail: result,
  },
];

/** One delivery with its body and every attempt; from here it is sent again. */
function Delivery({ webhook, deliveryId }: { webhook: WebhookEndpoint; deliveryId: string }) {
  const delivery = useDelivery(webhook.endpoint_id, deliveryId);
  const replay = useReplay(webhook.endpoint_id);
  return (
    <QueryBoundary query={delivery} skeleton={<Skeleton height={240} />}>
      {({ data }) => (
        <div className={classes.parts}>
          <div className={classes.head}>
            <Tag {...DELIVERY_STATE[data.state]} />
            <span>{kindLabel(data.kind)}</span>
            <p className={classes.url}>{data.webhook_id}</p>
          </div>
          <ul className={classes.tries} aria-label="Attempts">
            {data.tries.map((each) => (
              <li key={each.attempted_at}>{attempt(each)}</li>
            ))}
          </ul>
          {data.body && <pre className={classes.body}>{JSON.stringify(JSON.parse(data.body), null, 2)}</pre>}
          {replay.error && <ErrorNotice text={replay.error.message} />}
          <div className={classes.buttons}>
            <Button
              onClick={() => replay.mutate(deliveryId)}
              loading={replay.isPending}
              disabled={webhook.state === "disabled" || data.state === "sending"}
            >
              {data.state === "queued" ? "Send now" : "Send again"}
            </Button>
          </div>
        </div>
      )}
    </QueryBoundary>
  );
}

const attempt = ({ attempted_at, answer_code, problem, seconds }: WebhookAttempt): string =>
  `${moment(attempted_at)}: ${problem ?? `HTTP ${answer_code}`}, ${decimal(seconds, 1)} s`;
