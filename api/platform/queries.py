"""SQL of what is said of all tutors together."""

from api.comparison.queries import IS_SHORT, notice_counts
from api.comparison.schemas import NOTICE_DAYS
from api.database import VERSION, Statement, columns
from api.platform.schemas import AttentionWeek
from api.publication import META_SQL

PLATFORM = f"""
with notice as (
    select
        known.*,
        {IS_SHORT} as is_short,
        sum(known.called_off) filter (where known.notice_band > 0) over () as all_known
    from marts.platform_notice as known
    cross join marts.publication
),

bands as (
    select
        from_hours,
        to_hours,
        is_short,
        moved,
        cancelled,
        called_off,
        (called_off / nullif(all_known, 0))::double precision as share
    from notice
    where notice_band > 0
    order by notice_band
),

weeks as (
    select {columns(AttentionWeek, "weekly")} from marts.attention_weekly as weekly order by weekly.week_start
)

select
    {VERSION},
    json_build_object(
        'data', json_build_object(
            'notice', json_build_object(
                'days', {NOTICE_DAYS},
                'short_notice_hours', publication.short_notice_hours,
                'totals', (select {notice_counts("called_off")} from notice),
                'bands', (select json_agg(bands) from bands)
            ),
            'attention_weeks', coalesce((select json_agg(weeks) from weeks), '[]'),
            'inactive_with_attention', (
                select count(*) from marts.tutor_scores as scores where scores.attention and not scores.is_active
            )
        ),
        'meta', json_build_object({META_SQL})
    )
from marts.publication
"""


def platform() -> Statement:
    """All tutors together."""
    return Statement(PLATFORM)
