"""SQL of appeals. Columns of a body are the fields of its schema, so the two cannot differ."""

from typing import Any

import asyncpg
from pydantic_core import from_json

from api.appeals.deciders import sent_by, why_not
from api.appeals.schemas import Appeal, AppealDetail, AppealFields, AppealFilters, AppealList, AppealResponse
from api.callers import AnyCaller
from api.database import VERSION, Marts, Statement, columns, with_app_tables
from api.paging import Order, Page, SortKey, place_of
from api.paths import names_of
from api.problems import NotFoundError
from api.publication import META_SQL
from api.text_search import matches
from core.appeals import HAS_ADDRESS
from core.roles import Role

MISSING = "There is no appeal with this number."
MOST_CANDIDATES = 50
PERSONAL = ("text", "answer")

# What the record of a session says that counts against its tutor, excused or not; null if nothing does.
HAPPENED = """case
    when not sessions.is_final then null
    when sessions.status = 'no_show' and sessions.initiator = 'tutor' then 'missed'
    when sessions.status = 'cancelled' and sessions.initiator = 'tutor' then 'cancelled'
    when sessions.reschedule_initiator = 'tutor' then 'moved'
    when sessions.is_late_start then 'late'
end"""

# $1: the reporting zone.
APPEALS = f"""
select
    {columns(AppealFields, "stored")},
    stored.tutor_id,
    stored.decided_by,
    stored.decider_id,
    stored.link_made_by,
    tutors.name as tutor_name,
    tutors.external_id as tutor_external_id,
    tutors.email as tutor_email,
    today.day as today,
    stored.state = 'open' and stored.due_on < today.day as is_overdue,
    (select count(*) from app.appeal_sessions as about where about.appeal_id = stored.appeal_id) as sessions
from app.appeals as stored
left join marts.dim_tutors as tutors on stored.tutor_id = tutors.tutor_id
cross join (select (now() at time zone $1::text)::date as day) as today
"""
# Of these, what only the chosen ones need.
FULL = """
select
    appeals.*,
    json_build_object(
        'tutor_id', appeals.tutor_id, 'external_id', appeals.tutor_external_id, 'name', appeals.tutor_name
    ) as tutor,
    coalesce((select name from app.people where person_id = appeals.decider_id), appeals.decided_by) as decider,
    (
        select cases.case_id from app.cases where cases.tutor_id = appeals.tutor_id and cases.closed_at is null
    ) as case_id
from {appeals} as appeals
"""
FIELDS = ", ".join("decider as decided_by" if name == "decided_by" else name for name in Appeal.model_fields)

SORT_KEYS = {
    "due_on": ("appeals.due_on", "date"),
    "created_at": ("appeals.created_at", "timestamptz"),
    "settled_at": ("appeals.settled_at", "timestamptz"),
    "name": ("appeals.tutor_name", "text"),
}

LIST = f"""
with appeals as ({APPEALS}),

chosen as materialized (
    select appeals.*, {{sort_key}} as sort_key
    from appeals
    left join marts.dim_tutors as tutors on appeals.tutor_id = tutors.tutor_id
    where ($2::text[] is null or appeals.state = any($2))
        and (
            $3::text[] is null
            or appeals.tutor_id = ($3::text[])[1]::uuid
            or appeals.tutor_external_id = ($3::text[])[2]
        )
        and ($4::boolean is null or appeals.is_overdue = $4)
        and ($5::date is null or appeals.state = 'open' and appeals.due_on < $5)
        and {matches("tutors", "tutor_id", "$6")}
),

{{pages}},

found as (
    select {FIELDS} from ({FULL.format(appeals="page")}) as page order by {{order}}
)

select
    {VERSION},
    json_build_object(
        'data', coalesce((select json_agg(found) from found), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from chosen),
            'limit', $7::bigint,
            'offset', $8::bigint,
            'next_cursor', following.cursor,
            'open', (select count(*) from app.appeals where state = 'open'),
            'overdue', (
                select count(*) from app.appeals
                where state = 'open' and due_on < (now() at time zone $1::text)::date
            ),
            'today', (now() at time zone $1::text)::date,
            {META_SQL}
        )
    ),
    following.cursor
from marts.publication
cross join following
"""

# The facts of one session, as `AppealSession` has them.
SESSION = """
    sessions.external_id,
    sessions.scheduled_time,
    sessions.subject,
    sessions.notice_hours,
    sessions.reason_code,
    coalesce(sessions.is_excused, false) as is_excused
"""
APPEALED = f"""(
    select coalesce(json_agg(appealed order by appealed.scheduled_time, appealed.session_id), '[]')
    from (
        select about.session_id, about.happened, about.remedy, {SESSION}
        from app.appeal_sessions as about
        left join marts.fct_sessions as sessions on about.session_id = sessions.session_id
        where about.appeal_id = {{appeal_id}}
    ) as appealed
)"""
CANDIDATES = f"""(
    select coalesce(json_agg(candidate order by candidate.scheduled_time desc, candidate.session_id), '[]')
    from (
        select sessions.session_id, {HAPPENED} as happened, null::text as remedy, {SESSION}
        from marts.fct_sessions as sessions
        where sessions.tutor_id = appeals.tutor_id
            and sessions.counted_on > publication.as_of - 90
            and {HAPPENED} is not null
            and not sessions.is_excused
            and appeals.state = 'open'
            and appeals.concern is not null
        order by sessions.scheduled_time desc, sessions.session_id
        limit {MOST_CANDIDATES}
    ) as candidate
)"""
ONE = f"""
select
    {VERSION},
    (
        select json_build_object('data', found)
        from (
            select
                {FIELDS},
                decider_id,
                link_made_by,
                case when {HAS_ADDRESS.format(email="appeals.tutor_email")} then appeals.tutor_email end as recipient,
                {APPEALED.format(appeal_id="appeals.appeal_id")} as appealed,
                {CANDIDATES} as candidates
            from ({FULL.format(appeals=f"(select * from ({APPEALS} where stored.appeal_id = $2) as one)")}) as appeals
        ) as found
    )
from marts.publication as publication
"""


class AppealQueries:
    """Reads `app.appeals`, beside what is published of the tutors.

    Raises (every method):
        NotPublishedError, OutdatedScoresError: as `Marts`.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, marts: Marts, timezone: str) -> None:
        self._pool = pool
        self._marts = marts
        self._timezone = timezone

    async def page(self, filters: AppealFilters, caller: AnyCaller) -> Page:
        """An `AppealList`."""
        sort_key, kind = SORT_KEYS[filters.sort_by]
        order = Order(SortKey("sort_key", kind, filters.sort_order == "desc"), SortKey("appeal_id", "bigint"))
        pages = order.pages("chosen", limit="$7", offset="$8", place="$9")
        arguments = (
            self._timezone,
            [state.value for state in filters.state] or None,
            names_of(filters.tutor_id, MISSING) if filters.tutor_id is not None else None,
            filters.overdue,
            filters.due_before,
            filters.search,
            *(filters.limit, filters.offset, place_of(filters)),
        )
        sql = LIST.format(sort_key=sort_key, order=order.sql, pages=pages)
        found = await self._marts.read(Statement(sql, arguments, cursor=filters.cursor))
        body = from_json(found.body or b"")
        for row in body["data"]:
            _leave_out(row, caller)
        return Page(AppealList.model_validate(body).model_dump_json().encode(), found.next_cursor)

    async def one(self, appeal_id: int, caller: AnyCaller) -> AppealDetail:
        """
        Raises:
            NotFoundError: there is no such appeal, or a program that only sends them did not send it.
        """
        found = await self._marts.read(Statement(ONE, (self._timezone, appeal_id)))
        if found.body is None:
            raise NotFoundError(MISSING)
        row = from_json(found.body)["data"]
        if caller.role is Role.INGEST and not sent_by(row["created_by"], caller):
            raise NotFoundError(MISSING)
        sessions = [session["session_id"] for session in row["appealed"]]
        refusal = await with_app_tables(self._pool, lambda connection: why_not(connection, row, sessions, caller))
        row["why_not"] = refusal if row["state"] == "open" else None
        row["may_decide"] = row["state"] == "open" and refusal is None
        _leave_out(row, caller)
        return AppealDetail.model_validate(row)


def response_of(appeal: AppealDetail) -> bytes:
    """The body of an answer about one appeal."""
    return AppealResponse(data=appeal).model_dump_json().encode()


def _leave_out(row: dict[str, Any], caller: AnyCaller) -> None:
    """What a tutor has said of their health or family is for those who work on it."""
    if caller.role is Role.READ:
        row.update(dict.fromkeys(PERSONAL))
        if "recipient" in row:
            row["recipient"] = None
