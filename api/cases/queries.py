"""SQL of the endpoints of cases. Columns of a body are the fields of its schema, so the two cannot differ."""

from dataclasses import dataclass
from typing import Any

import asyncpg
from pydantic import TypeAdapter
from pydantic_core import from_json

from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.cases import effect
from api.cases.invitation import Participant
from api.cases.outcomes import OUTCOMES, OutcomesResponse
from api.cases.preparation import prepare
from api.cases.schemas import (
    TREND_WEEKS,
    Case,
    CaseConcern,
    CaseDetail,
    CaseEvent,
    CaseFields,
    CaseFilters,
    CaseList,
    CaseResponse,
    Coach,
    LoadedOwner,
    Owner,
    Queue,
    SuddenFields,
)
from api.cases.talk_queries import PARTICIPANTS, PREPARATION
from api.cases.words import in_short, suddenly
from api.database import VERSION, Marts, Statement, columns, with_app_tables
from api.paging import Order, Page, SortKey, place_of
from api.paths import names_of
from api.problems import NotFoundError
from api.publication import META_SQL
from api.text_search import matches
from core.concerns import Recently, in_order
from core.roles import Role
from core.urgency import AT_RISK, NEWS

MISSING = "There is no case with this number."
# Of the details of events.
PERSONAL = ("text", "cause", "excuses")

# When somebody last spoke with the tutor, of contacts that stand (`Cases._moment`); null if nobody did. `contacted_at`
# is the first one.
SPOKEN_AT = """(
    select max(
        case
            when coalesce(spoken.happened_on = (spoken.happened_at at time zone $3)::date, true)
                then spoken.happened_at
            else (spoken.happened_on + time '12:00') at time zone $3
        end
    )
    from app.case_events as spoken
    where spoken.case_id = stored.case_id and spoken.kind = 'contact'
        and not exists (select from app.case_events as later where later.corrects = spoken.event_id)
)"""

# $1: the person who asks, $2: their role, $3: the reporting zone.
CASES = f"""
select
    {columns(CaseFields, "stored")},
    stored.tutor_id,
    stored.owner_id,
    stored.standing,
    stored.snapshot,
    today.day as today,
    case
        when stored.closed_at is not null then 'closed'
        when stored.snoozed_until > today.day then 'waiting'
        when stored.due_on <= today.day then 'due'
        -- Whoever has spoken with the tutor since then has agreed on a day.
        when stored.suggested_at is not null
            and (stored.due_on is null or coalesce({SPOKEN_AT} < stored.suggested_at, true))
            then 'due'
        when stored.state in ('new', 'assigned') then 'todo'
        -- Nothing would bring it back.
        when stored.due_on is null then 'due'
        else 'waiting'
    end as queue,
    today.day - (coalesce(stored.reopened_at, stored.opened_at) at time zone $3)::date as age_days,
    $2 in ('lead', 'admin') or $2 = 'coach' and (
        coalesce(stored.owner_id = $1, false)
        or exists (
            select from app.person_tutors as theirs
            where theirs.person_id = $1 and theirs.tutor_id = stored.tutor_id
        )
    ) as may_change,
    coalesce(stored.owner_id = $1, false) or stored.owner_id is null and exists (
        select from app.person_tutors as theirs
        where theirs.person_id = $1 and theirs.tutor_id = stored.tutor_id
    ) as is_mine
from app.cases as stored
cross join (select (now() at time zone $3::text)::date as day) as today
"""

# The rest of a case, from what is published of its tutor.
FULL = f"""
select
    cases.*,
    json_build_object(
        'tutor_id', cases.tutor_id,
        'external_id', tutors.external_id,
        'name', tutors.name,
        'is_active', tutors.is_active
    ) as tutor,
    (
        select owner from (
            select {columns(Owner, "people")} from app.people where people.person_id = cases.owner_id
        ) as owner
    ) as owner,
    (
        select coalesce(json_agg(coach order by coach.name, coach.person_id), '[]')
        from (
            select {columns(Coach, "people")}
            from app.person_tutors as theirs
            inner join app.people as people on theirs.person_id = people.person_id
            where theirs.tutor_id = cases.tutor_id and people.is_active
        ) as coach
    ) as coaches,
    case when cases.closed_at is not null then (
        select coalesce((select name from app.people where people.person_id = events.person_id), events.actor)
        from app.case_events as events
        where events.case_id = cases.case_id and events.kind = 'closed'
        order by events.event_id desc limit 1
    ) end as closed_by,
    (
        select coalesce(json_agg(known order by {in_order("known.concern")}), '[]')
        from (
            select {columns(CaseConcern, "concerns")}
            from marts.tutor_concerns as concerns
            where concerns.tutor_id = cases.tutor_id
                and concerns.concern = any(cases.standing)
                and concerns.status = 'raised'
                and not concerns.superseded
                and tutors.is_active
        ) as known
    ) as raised,
    (
        select sudden from (
            select {columns(SuddenFields, "known")}, known.events, known.trials
            from marts.tutor_concerns as known where known.tutor_id = cases.tutor_id and {NEWS}
        ) as sudden
    ) as sudden_change,
    scores.planned_sessions_7d,
    scores.harm_sessions,
    scores.harm_students,
    json_build_object('let_down_rate_30d', scores.let_down_rate_30d, 'trend_30d', scores.trend_30d) as recently,
    array(
        select weekly.let_down_rate
        from generate_series(0, {TREND_WEEKS - 1}) as weeks (ago)
        left join marts.tutor_weekly as weekly
            on cases.tutor_id = weekly.tutor_id
            and date_trunc('week', publication.as_of)::date - 7 * weeks.ago = weekly.week_start
        order by weeks.ago desc
    ) as weekly_let_down_rates,
    publication.as_of
from {{cases}} as cases
cross join marts.publication
left join marts.tutor_scores as scores on cases.tutor_id = scores.tutor_id
left join marts.dim_tutors as tutors on cases.tutor_id = tutors.tutor_id
"""

# SQL and its type.
SORT_KEYS = {
    "urgency": (
        f"""array[
        case cases.priority when 'high' then 2 when 'normal' then 1 else 0 end,
        {AT_RISK}
    ]""",
        "double precision[]",
    ),
    "due_on": ("cases.due_on", "date"),
    "opened_at": ("cases.opened_at", "timestamptz"),
    "changed_at": ("cases.changed_at", "timestamptz"),
    "harm_sessions": ("scores.harm_sessions", "double precision"),
    "name": ("tutors.name", "text"),
}
ROW = ", ".join(["recently", *Case.model_fields])

LIST = f"""
with cases as ({CASES}),

matching as materialized (
    select cases.case_id, cases.tutor_id, cases.priority, cases.due_on, cases.opened_at, cases.changed_at, cases.queue
    from cases
    left join marts.dim_tutors as tutors on cases.tutor_id = tutors.tutor_id
    where ($4::text[] is null or cases.state = any($4))
        and ($5::bigint is null or cases.owner_id = $5)
        and (not $6::boolean or cases.owner_id is null)
        and (not $7::boolean or cases.is_mine)
        and (
            $8::text[] is null
            or cases.tutor_id = ($8::text[])[1]::uuid
            or tutors.external_id = ($8::text[])[2]
        )
        and ($9::text[] is null or cases.standing && $9)
        and {matches("tutors", "tutor_id", "$10")}
        and ($15::text[] is null or cases.reason = any($15))
        and (
            $16::text[] is null and $17::boolean is null
            or cases.case_id in (
                select outcomes.case_id from marts.cases as outcomes
                where ($16 is null or outcomes.last_action = any($16))
                    and ($17 is null or (outcomes.contacts > 0) = $17)
            )
        )
        and ($18::date is null or cases.opened_on >= $18)
        and ($19::date is null or cases.opened_on < $19)
),

-- Sorted by what is looked up for those of the queue only: closed cases are many.
chosen as materialized (
    select cases.case_id, {{sort_key}} as sort_key
    from matching as cases
    left join marts.tutor_scores as scores on cases.tutor_id = scores.tutor_id
    left join marts.dim_tutors as tutors on cases.tutor_id = tutors.tutor_id
    where cases.queue = any($11::text[])
),

{{pages}},

found as (
    select {ROW}
    from ({FULL.format(cases="(select cases.*, page.sort_key from page inner join cases using (case_id))")}) as page
    order by {{order}}
)

select
    {VERSION},
    json_build_object(
        'data', coalesce((select json_agg(found) from found), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from chosen),
            'limit', $12::bigint,
            'offset', $13::bigint,
            'next_cursor', following.cursor,
            'today', (now() at time zone $3)::date,
            'queues', (
                select json_build_object({", ".join(f"'{q}', count(*) filter (where queue = '{q}')" for q in Queue)})
                from matching
            ),
            {META_SQL}
        )
    ),
    following.cursor
from marts.publication
cross join following
"""

ONE = f"""
select
    {VERSION},
    (
        select json_build_object('data', found)
        from (
            select recently, {", ".join(CaseDetail.model_fields)}
            from ({FULL.format(cases=f"(select * from ({CASES} where stored.case_id = $4) as one)")}) as full_case
        ) as found
    )
from marts.publication
"""

# Of a private note, nobody but its author learns. $2: the person who asks.
EVENTS = f"""
select coalesce(json_agg(event order by event.event_id desc), '[]')
from (
    select {columns(CaseEvent, "shown")}
    from (
        select
            event_id, kind, happened_at, happened_on, corrects, person_id, is_private, version,
            (select event_id from app.case_events as later where later.corrects = events.event_id) as corrected_by,
            case
                when kind = 'stand_in' then details || jsonb_build_object(
                    'tutor_name',
                    (select name from marts.dim_tutors where tutor_id = (events.details ->> 'tutor_id')::uuid)
                )
                when kind in ('eased', 'suggested') then details || jsonb_strip_nulls(jsonb_build_object(
                    'excuses',
                    (
                        select jsonb_agg(given order by given.created_by, given.reason)
                        from (
                            select excuses.reason, excuses.created_by, count(*) as sessions
                            from app.cases as stored
                            inner join marts.fct_sessions as sessions on stored.tutor_id = sessions.tutor_id
                            inner join app.excuses on sessions.session_id = excuses.session_id
                            where stored.case_id = $1
                                and excuses.created_at <= events.happened_at
                                and excuses.created_at > events.happened_at - interval '1 day'
                            group by excuses.reason, excuses.created_by
                        ) as given
                    )
                ))
                else details
            end as details,
            coalesce((select name from app.people where people.person_id = events.person_id), actor) as actor
        from app.case_events as events
        where case_id = $1 and (not is_private or person_id = $2)
    ) as shown
    where shown.version > $3
) as event
"""
EXISTS = "select exists (select from app.cases where case_id = $1)"

OWNERS = f"""
select json_build_object('data', coalesce(json_agg(owner order by owner.name, owner.person_id), '[]'))
from (
    select {columns(LoadedOwner, "people")}
    from (
        select people.*, (
            select count(*) from app.cases where cases.owner_id = people.person_id and cases.closed_at is null
        ) as open_cases
        from app.people
        where is_active and role in ('coach', 'lead', 'admin')
    ) as people
) as owner
"""

_events = TypeAdapter(list[CaseEvent])


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: as what, and as whom, if it is a person."""

    person_id: int | None
    role: Role

    @classmethod
    def of(cls, caller: AnyCaller) -> "Asker":
        return cls(caller.person_id if isinstance(caller, BrowserCaller) else None, caller.role)


class CaseQueries:
    """Reads `app.cases` and `app.case_events`, beside what is published of the tutors.

    Raises (every method):
        NotPublishedError, OutdatedScoresError: as `Marts`.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, marts: Marts, timezone: str) -> None:
        self._pool = pool
        self._marts = marts
        self._timezone = timezone

    async def page(self, filters: CaseFilters, asker: Asker) -> Page:
        """A `CaseList`."""
        sort_key, kind = SORT_KEYS[filters.sort_by]
        order = Order(SortKey("sort_key", kind, filters.sort_order == "desc"), SortKey("case_id", "bigint"))
        pages = order.pages("chosen", limit="$12", offset="$13", place="$14")
        sql = LIST.format(sort_key=sort_key, order=order.sql, pages=pages)
        owner: int | None = None
        if filters.owner == "me":
            # Nobody looks after anything with a key.
            owner = asker.person_id or 0
        elif filters.owner is not None and filters.owner != "nobody":
            owner = int(filters.owner)
        arguments = (
            *(asker.person_id, asker.role, self._timezone),
            [state.value for state in filters.state] or None,
            owner,
            filters.owner == "nobody",
            filters.mine,
            names_of(filters.tutor_id, MISSING) if filters.tutor_id is not None else None,
            [concern.value for concern in filters.concern] or None,
            filters.search,
            [queue.value for queue in filters.queue or (Queue.TODO, Queue.DUE, Queue.WAITING)],
            *(filters.limit, filters.offset, place_of(filters)),
            [reason.value for reason in filters.reason] or None,
            [action.value for action in filters.last_action] or None,
            *(filters.contacted, filters.opened_since, filters.opened_until),
        )
        found = await self._marts.read(Statement(sql, arguments, cursor=filters.cursor))
        body = from_json(found.body or b"")
        for row in body["data"]:
            _put_into_words(row)
        return Page(CaseList.model_validate(body).model_dump_json().encode(), found.next_cursor)

    async def one(self, case_id: int, asker: Asker) -> CaseDetail:
        """
        Raises:
            NotFoundError: there is no such case.
        """
        found = await self._marts.read(Statement(ONE, (asker.person_id, asker.role, self._timezone, case_id)))
        if found.body is None:
            raise NotFoundError(MISSING)
        row = from_json(found.body)["data"]
        _put_into_words(row)
        return CaseDetail.model_validate(row)

    async def events(self, case_id: int, asker: Asker, *, after_version: int = 0) -> list[CaseEvent]:
        """What happened to a case since a version of it, the newest first.

        Raises:
            NotFoundError: there is no such case.
        """

        async def work(connection: Any) -> bytes:
            if not await connection.fetchval(EXISTS, case_id):
                raise NotFoundError(MISSING)
            body = await connection.fetchval(EVENTS, case_id, asker.person_id, after_version)
            assert isinstance(body, bytes)
            return body

        events = _events.validate_json(await with_app_tables(self._pool, work))
        if asker.role is Role.READ:
            # What a tutor has said of their health or family is for those who work on the case.
            for event in events:
                event.details = {name: each for name, each in event.details.items() if name not in PERSONAL}
        return events

    async def effect(self) -> bytes:
        """A `CaseEffectResponse`."""
        found = await self._marts.read(effect.STATEMENT)
        return effect.response_of(found.body or b"")

    async def preparation(self, case_id: int, asker: Asker) -> bytes:
        """A `PreparationResponse`.

        Raises:
            NotFoundError: there is no such case.
        """
        found = await self._marts.read(Statement(PREPARATION, (case_id, asker.person_id)))
        if found.body is None:
            raise NotFoundError(MISSING)
        return prepare(found.body)

    async def participants(self, case_id: int, asker: Asker) -> tuple[Participant, Participant | None]:
        """The tutor of a case, and who asks, if it is a person.

        Raises:
            NotFoundError: there is no such case.
        """

        async def work(connection: Any) -> Any:
            return await connection.fetchrow(PARTICIPANTS, case_id, asker.person_id)

        found = await with_app_tables(self._pool, work)
        if found is None:
            raise NotFoundError(MISSING)
        host = Participant(name=found["host_name"], email=found["host_email"])
        return Participant(name=found["name"], email=found["email"]), host if asker.person_id is not None else None

    async def outcomes(self, months: int) -> bytes:
        """An `OutcomesResponse`."""
        found = await self._marts.read(Statement(OUTCOMES, (months,)))
        return OutcomesResponse.model_validate_json(found.body or b"").model_dump_json().encode()

    async def owners(self) -> bytes:
        """An `Owners`."""
        body = await with_app_tables(self._pool, lambda connection: connection.fetchval(OWNERS))
        assert isinstance(body, bytes)
        return body


def response_of(case: CaseDetail) -> bytes:
    """The body of an answer about one case."""
    return CaseResponse(data=case).model_dump_json().encode()


def _put_into_words(row: dict[str, Any]) -> None:
    recently = Recently.model_validate(row.pop("recently"))
    for concern in row["raised"]:
        concern["words"] = in_short(concern, recently)
    if sudden := row["sudden_change"]:
        sudden["words"] = suddenly(sudden, recently)
