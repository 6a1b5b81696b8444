import { Skeleton, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { type ReactNode, useState } from "react";
import { moveWithArrowKeys } from "../../../components/arrow-keys";
import { EmptyState } from "../../../components/empty-state";
import { Icon } from "../../../components/icons";
import { Panel } from "../../../components/panel";
import { QueryBoundary, type QueryState } from "../../../components/query-boundary";
import { type RiskLevel, RiskLevelBadge } from "../../../components/risk-level-badge";
import { count, percent } from "../../../lib/format";
import classes from "./people-list.module.css";

const ASK_AFTER_MS = 200;

export interface PersonCard {
  id: string;
  name: string;
  about: string;
  aside?: string;
  fit?: { risk: RiskLevel; compatibility: number | null };
}

interface PeopleListProps {
  title: string;
  note?: ReactNode;
  className?: string;
  query: QueryState<unknown>;
  cards: PersonCard[] | undefined;
  total: number | undefined;
  chosen: string | undefined;
  searched: string | undefined;
  filter?: ReactNode;
  onSearch: (text: string | undefined) => void;
  onChoose: (id: string) => void;
}

/** People as cards, one of whom can be chosen. */
export function PeopleList(props: PeopleListProps) {
  const { title, note, className, query, cards, total, chosen, searched, filter, onSearch, onChoose } = props;
  const [text, setText] = useState(searched ?? "");
  const ask = useDebouncedCallback((value: string) => onSearch(value || undefined), ASK_AFTER_MS);
  return (
    <Panel title={title} note={note} flush className={className}>
      <div className={classes.tools}>
        <TextInput
          type="search"
          aria-label={`Search ${title.toLowerCase()}`}
          placeholder="Search by name or id"
          leftSection={<Icon name="search" />}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            ask(event.currentTarget.value.trim());
          }}
        />
        {filter}
      </div>
      <QueryBoundary query={query} skeleton={<ListSkeleton />}>
        {() =>
          !cards || cards.length === 0 ? (
            <EmptyState icon="search" title={`No ${title.toLowerCase()} here`}>
              {searched ? "Nobody has such a name or id." : "Nobody fits, or nothing has been predicted yet."}
            </EmptyState>
          ) : (
            <>
              <ul className={classes.cards} aria-label={title} onKeyDown={moveWithArrowKeys("button")}>
                {cards.map((card) => (
                  <li key={card.id}>
                    <button
                      type="button"
                      className={classes.card}
                      aria-pressed={card.id === chosen}
                      onClick={() => onChoose(card.id)}
                    >
                      <span className={classes.name}>{card.name}</span>
                      {card.fit ? (
                        <RiskLevelBadge level={card.fit.risk} />
                      ) : (
                        <span className={classes.aside}>{card.aside}</span>
                      )}
                      <span className={classes.about}>{card.about || "no subject"}</span>
                      {card.fit && (
                        <span className={classes.aside}>
                          {percent(card.fit.compatibility, { digits: 0, none: "unknown" })} fit · {card.aside}
                        </span>
                      )}
                    </button>
                  </li>
                ))}
              </ul>
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
