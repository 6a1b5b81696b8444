import { Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary } from "../../../components/query-boundary";
import type { FunnelResponse } from "../../../lib/api-types";
import { FunnelPlot } from "./funnel-plot";

export function FunnelPanel({ query }: { query: UseQueryResult<{ funnel: FunnelResponse }> }) {
  return (
    <Panel title="Funnel plot" note="Tutors outside differ by more than chance">
      <QueryBoundary query={query} skeleton={<Skeleton height={420} />}>
        {({ funnel: { data } }) =>
          data.points.length === 0 || !isKnown(data.platform_let_down_rate_90d) ? (
            <EmptyState title="Nothing to draw">
              No matching tutor has sessions in the last 90 days.
            </EmptyState>
          ) : (
            <FunnelPlot
              points={data.points}
              rate={data.platform_let_down_rate_90d}
              threshold={data.risk_threshold}
            />
          )
        }
      </QueryBoundary>
    </Panel>
  );
}

const isKnown = (rate: number | null): rate is number => rate !== null && Number.isFinite(rate);
