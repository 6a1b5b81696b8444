"""Ids in sessions that no file of tutors or students names, each with the known id that it resembles."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from ingest.contract import SESSIONS

SHOWN_IDS = 10

# Letters and digits without zeros in front: `00042` is spelt like `42`, `t-abc` like `T-Abc`, ` s 1` like `S1`.
_SPELLING = "ltrim(regexp_replace(lower({}), '[^[:alnum:]]', '', 'g'), '0')"

# Most loads bring none, and need not have all ids spelt out.
ANY_NEW = """
select exists (
    select from raw.{table}
    where is_stub and created_at in (select started_at from raw.loads where load_id = any(%(loads)s))
)
"""

# By spelling, in one hashed join: 100,000 unknown ones beside 100,000 known ones take a second.
UNKNOWN = """
with people as materialized (
    select
        coalesce(external_id, {key}::text) as id,
        {spelling} as spelling,
        is_stub,
        is_stub and created_at in (select started_at from raw.loads where load_id = any(%(loads)s)) as is_new
    from raw.{table}
),
known as (
    select spelling, min(id) as id from people where not is_stub group by spelling
)
select
    count(*) over (),
    exists (select from known),
    unknown.id,
    known.id
from people as unknown
left join known on known.spelling = unknown.spelling
where unknown.is_new
order by known.id is null, unknown.id
limit %(limit)s
"""

# What differs in one letter has the same digits, and one half of it is the same.
NEAR = """
select unknown.id, known.id
from unnest(%(ids)s::text[]) as unknown (id)
inner join (
    select coalesce(external_id, {key}::text) as id, {digits} as digits from raw.{table} where not is_stub
) as known
    on known.digits = regexp_replace(unknown.id, '\\D', '', 'g')
    and abs(length(known.id) - length(unknown.id)) <= 1
    and (
        left(known.id, length(unknown.id) / 2) = left(unknown.id, length(unknown.id) / 2)
        or right(known.id, length(unknown.id) / 2) = right(unknown.id, length(unknown.id) / 2)
    )
order by unknown.id, known.id
limit 10000
"""


@dataclass(frozen=True)
class UnknownId:
    """An id that no file names, as it was delivered, and the known one that it resembles, if there is one."""

    id: str
    resembles: str | None


@dataclass(frozen=True)
class UnknownPeople:
    """How many tutors or students (`entity`) loads met for the first time and no file has named; some of their ids.

    `are_others_known`: whether some file has named any at all.
    """

    entity: str
    count: int
    are_others_known: bool
    examples: list[UnknownId]

    def __str__(self) -> str:
        who = f"{self.count:,} {self.entity}" if self.count > 1 else f"1 {self.entity.removesuffix('s')}"
        verb = "are" if self.count > 1 else "is"
        if not self.are_others_known:
            return f"{who} {verb} known from sessions only; no {self.entity} file has come"
        ids = ", ".join(
            each.id if each.resembles is None else f"{each.id} (like {each.resembles}?)" for each in self.examples
        )
        more = ", …" if self.count > len(self.examples) else ""
        return f"{who} of sessions {verb} in no {self.entity} file: {ids}{more}"


def unknown_people(connection: psycopg.Connection, load_ids: Sequence[int]) -> list[UnknownPeople]:
    """Whom these loads met in sessions for the first time, and who are still unknown; nothing of kinds without any."""
    found = []
    for column in SESSIONS.references:
        table, key = str(column.references), column.name
        names = {"table": table, "key": key}
        if not _value(connection, ANY_NEW.format(table=table), {"loads": list(load_ids)}):
            continue
        spelling = _SPELLING.format(f"coalesce(external_id, {key}::text)")
        rows = connection.execute(
            UNKNOWN.format(spelling=spelling, **names).encode(), {"loads": list(load_ids), "limit": SHOWN_IDS}
        ).fetchall()
        near = {}
        if lonely := [unknown for _, _, unknown, known in rows if known is None]:
            digits = f"regexp_replace(coalesce(external_id, {key}::text), '\\D', '', 'g')"
            pairs = connection.execute(NEAR.format(digits=digits, **names).encode(), {"ids": lonely}).fetchall()
            near = {unknown: known for unknown, known in reversed(pairs) if differ_by_one_letter(unknown, known)}
        examples = [UnknownId(unknown, known or near.get(unknown)) for _, _, unknown, known in rows]
        found.append(UnknownPeople(table, rows[0][0], rows[0][1], examples))
    return found


def _value(connection: psycopg.Connection, query: str, parameters: dict[str, Any]) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def long_unknown(connection: psycopg.Connection, table: str) -> int:
    """How many tutors or students are known from sessions only for more than a day, though others have been named."""
    row = connection.execute(
        f"select count(*) filter (where is_stub and created_at < now() - interval '1 day'), bool_or(not is_stub)"
        f" from raw.{table}".encode()
    ).fetchone()
    count, are_others_known = row or (0, None)
    return int(count) if are_others_known else 0


def differ_by_one_letter(one: str, other: str) -> bool:
    """Whether one letter was left out, put in, changed, or changed places with the next one. Digits tell ids apart."""
    if re.sub(r"\D", "", one) != re.sub(r"\D", "", other) or one == other:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, other_rest = one[start:], other[start:]
    return (
        rest[1:] == other_rest[1:]
        or rest[1:] == other_rest
        or rest == other_rest[1:]
        or (rest[:2] == other_rest[1::-1] and rest[2:] == other_rest[2:])
    )
