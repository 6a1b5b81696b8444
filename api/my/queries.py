"""SQL of the tutor's own page: what is published of one tutor, and that tutor's appeals."""

from collections.abc import Sequence
from uuid import UUID

from api.appeals.queries import HAPPENED
from api.appeals.schemas import MOST_SESSIONS
from api.database import VERSION, Marts, Statement, columns
from api.my.schemas import Figures, OwnAppeal, OwnPage
from core import page_links
from core.appeals import HAS_ADDRESS
from core.concerns import Concern, Rules, in_order
from core.settings import Settings

DAYS = 90
PAGE_SIZE = 30
MOST_APPEALS = 30

# Not who decided.
APPEAL = ", ".join(f"appeals.{name}" for name in OwnAppeal.model_fields if name != "sessions")

# $1: the tutor. $2: some sessions, or null for all. $3: how many come before those of the page. $4: how long the page
# opens for who has left.
PAGE = f"""
with tutor as (
    select * from marts.dim_tutors where tutor_id = $1
),

against as (
    select
        sessions.session_id,
        sessions.scheduled_time,
        sessions.counted_on,
        sessions.notice_hours,
        sessions.lateness_minutes,
        sessions.is_excused,
        {HAPPENED} as happened,
        -- A no-show counts in attendance, whatever the settings say of let-downs.
        sessions.is_let_down or sessions.is_tutor_no_show or {HAPPENED} = 'late' as counts
    from marts.fct_sessions as sessions
    cross join marts.publication
    where sessions.tutor_id = $1
        and sessions.counted_on > publication.as_of - {DAYS}
        and sessions.counted_on <= publication.as_of
        and ($2::uuid[] is null or sessions.session_id = any($2))
),

listed as (
    select
        *,
        count(*) over () as total,
        count(*) filter (where counts and happened <> 'late') over () as counting,
        count(*) filter (where happened = 'late') over () as late
    from against
    where happened is not null
    order by scheduled_time desc, session_id
    limit case when $2::uuid[] is null then {PAGE_SIZE} else {MOST_SESSIONS} end offset $3
),

shown as (
    select listed.*, latest.appeal_id, latest.state as appeal_state
    from listed
    left join lateral (
        select appeals.appeal_id, appeals.state
        from app.appeal_sessions as about
        inner join app.appeals as appeals on about.appeal_id = appeals.appeal_id
        where about.session_id = listed.session_id and appeals.tutor_id = $1 and appeals.state <> 'withdrawn'
        order by appeals.appeal_id desc
        limit 1
    ) as latest on true
),

own_appeals as (
    select
        {APPEAL},
        (
            select coalesce(json_agg(appealed order by appealed.scheduled_time, appealed.session_id), '[]')
            from (
                select about.session_id, about.happened, about.remedy, sessions.scheduled_time
                from app.appeal_sessions as about
                left join marts.fct_sessions as sessions on about.session_id = sessions.session_id
                where about.appeal_id = appeals.appeal_id
            ) as appealed
        ) as sessions
    from app.appeals as appeals
    where appeals.tutor_id = $1
    order by appeals.appeal_id desc
    limit {MOST_APPEALS}
)

select
    {VERSION},
    (
        select json_build_object(
            'name', tutor.name,
            'closes_at', (select left_at + $4::interval from app.departed_tutors where tutor_id = $1),
            'has_address', coalesce({HAS_ADDRESS.format(email="tutor.email")}, false),
            'as_of', publication.as_of,
            'figures', (
                select figures from (
                    select {columns(Figures, "scores")} from marts.tutor_scores as scores where scores.tutor_id = $1
                ) as figures
            ),
            'platform_rate_90d', (select let_down_rate_90d from marts.platform_baseline),
            'rules', (select rules from (select {columns(Rules, "publication")}) as rules),
            'concerns', (
                select coalesce(json_agg(known order by {in_order("known.concern")}), '[]')
                from (
                    select {columns(Concern, "concerns")}
                    from marts.tutor_concerns as concerns
                    where concerns.tutor_id = $1 and concerns.status = 'raised' and not concerns.superseded
                ) as known
            ),
            'sessions', (
                select coalesce(json_agg(shown order by shown.scheduled_time desc, shown.session_id), '[]') from shown
            ),
            'sessions_total', coalesce((select max(total) from listed), 0),
            'sessions_counting', coalesce((select max(counting) from listed), 0),
            'sessions_late', coalesce((select max(late) from listed), 0),
            'appeals', (select coalesce(json_agg(own_appeals order by appeal_id desc), '[]') from own_appeals)
        )
        from tutor
    )
from marts.publication
"""


class OwnPages:
    """Reads what one tutor may see.

    Raises (every method):
        NotPublishedError, OutdatedScoresError, DatabaseUnavailableError: as `Marts`.
    """

    def __init__(self, marts: Marts, settings: Settings) -> None:
        self._marts = marts
        self._left_for = page_links.left_for(settings)

    async def of(self, tutor_id: UUID, *, page: int = 1, session_ids: Sequence[UUID] | None = None) -> OwnPage | None:
        """The page of a tutor, with one page of the sessions, or with some of them; None if nothing is published of
        them."""
        arguments = (tutor_id, session_ids, (page - 1) * PAGE_SIZE, self._left_for)
        found = await self._marts.read(Statement(PAGE, arguments))
        return None if found.body is None else OwnPage.model_validate_json(found.body)
