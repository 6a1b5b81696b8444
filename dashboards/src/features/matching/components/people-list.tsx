import { Skeleton } from "@mantine/core";
import type { ReactNode } from "react";
import { EmptyState } from "../../../components/empty-state";
import { Panel } from "../../../components/panel";
import { QueryBoundary, type QueryState } from "../../../components/query-boundary";
import { Risk, type RiskProps } from "../../../components/risk";
import { ROW, RowContent, RowList } from "../../../components/row-list";
import { SearchField } from "../../../components/search-field";
import { compatible, count } from "../../../lib/format";
import classes from "./people-list.module.css";

export interface PersonCard {
  id: string;
  name: string;
  about: string;
  aside?: string;
  /** On a line of their own. */
  tags?: ReactNode;
  fit?: { risk: RiskProps; compatibility: number | null };
}

interface PeopleListProps {
  title: string;
  note?: ReactNode;
  className?: string;
  query: QueryState<unknown>;
  cards: PersonCard[] | undefined;
  total: number | undefined;
  chosen: string | undefined;
  /** Who is chosen, for a list that may not show them. */
  chosenName?: string;
  searched: string | undefined;
  filter?: ReactNode;
  /** Why there may be nobody, where no name is searched for. */
  nobody: string;
  onSearch: (text: string | undefined) => void;
  onChoose: (id: string) => void;
}

/** People as cards, one of whom can be chosen. */
export function PeopleList(props: PeopleListProps) {
  const {
    title,
    note,
    className,
    query,
    cards,
    total,
    chosen,
    chosenName,
    searched,
    filter,
    nobody,
    onSearch,
    onChoose,
  } = props;
  return (
    <Panel title={title} note={note} flush className={className}>
      <div className={classes.tools}>
        <SearchField
          label={`Search ${title.toLowerCase()}`}
          isLabelVisible
          value={searched}
          onChange={onSearch}
        />
        {filter}
        {chosenName && cards?.every(({ id }) => id !== chosen) && (
          <p className={classes.chosen}>
            Chosen: <strong>{chosenName}</strong>
          </p>
        )}
      </div>
      <QueryBoundary query={query} skeleton={<ListSkeleton />}>
        {() =>
          !cards || cards.length === 0 ? (
            <EmptyState icon="search" title={`No ${title.toLowerCase()} here`}>
              {searched ? "No name or id matches." : nobody}
            </EmptyState>
          ) : (
            <>
              <RowList className={classes.cards} aria-label={title}>
                {cards.map((card) => (
                  <li key={card.id}>
                    <button
                      type="button"
                      className={ROW}
                      aria-pressed={card.id === chosen}
                      onClick={() => onChoose(card.id)}
                    >
                      <PersonRow card={card} />
                    </button>
                  </li>
                ))}
              </RowList>
              {total !== undefined && total > cards.length && (
                <p className={classes.more}>
                  {count(cards.length)} of {count(total)}; search to find others
                </p>
              )}
            </>
          )
        }
      </QueryBoundary>
    </Panel>
  );
}

function PersonRow({ card: { name, about, aside, tags, fit } }: { card: PersonCard }) {
  return (
    <RowContent
      title={name}
      badge={fit ? <Risk {...fit.risk} isStacked /> : <span className={classes.aside}>{aside}</span>}
      detail={about}
      aside={fit && [compatible(fit.compatibility), aside].filter(Boolean).join(" · ")}
      tags={tags}
      isClipped
    />
  );
}

const SKELETON_CARDS = Array.from({ length: 9 }, (_, index) => index);

function ListSkeleton() {
  return (
    <div className={classes.skeleton}>
      {SKELETON_CARDS.map((card) => (
        <Skeleton key={card} height={40} />
      ))}
    </div>
  );
}
