"""SQL of comparisons: counts of one tutor beside those of all."""

from collections.abc import Sequence

from api.comparison.schemas import NOTICE_DAYS, RETENTION_DAYS
from api.database import VERSION, Statement
from api.publication import META_SQL
from api.tutors.queries import MISSING, NAMED

BINS = 20


def notice_counts(column: str) -> str:
    """`NoticeCounts` of a column of counts by band; band 0 is of sessions whose notice nobody knows."""
    short = f"sum({column}) filter (where is_short)"
    known = f"sum({column}) filter (where notice_band > 0)"
    return f"""json_build_object(
        'called_off', coalesce(sum({column}), 0)::bigint,
        'short', coalesce({short}, 0)::bigint,
        'unknown', coalesce(sum({column}) filter (where notice_band = 0), 0)::bigint,
        'short_share', ({short} / nullif({known}, 0))::double precision
    )"""


IS_SHORT = "known.notice_band > 0 and coalesce(known.to_hours <= publication.short_notice_hours, false)"


COMPARISON = f"""
with tutor as (
    select * from marts.tutor_scores as scores where {NAMED} limit 1
),

rated as (
    select least(width_bucket(scores.quality_score, 0, 100, {BINS}), {BINS}) as bin, count(*) as tutors
    from marts.tutor_scores as scores
    where scores.risk_status <> 'insufficient_data' and scores.quality_score is not null
    group by bin
),

bins as (
    select
        (bin - 1) * 100 / {BINS} as from_score,
        bin * 100 / {BINS} as to_score,
        coalesce(rated.tutors, 0) as tutors
    from generate_series(1, {BINS}) as bin
    left join rated using (bin)
    order by bin
),

notice as (
    select
        known.notice_band,
        known.from_hours,
        known.to_hours,
        {IS_SHORT} as is_short,
        coalesce(theirs.called_off, 0) as tutor,
        known.called_off as platform,
        sum(theirs.called_off) filter (where known.notice_band > 0) over () as tutor_known,
        sum(known.called_off) filter (where known.notice_band > 0) over () as platform_known
    from marts.platform_notice as known
    cross join marts.publication
    left join marts.tutor_notice as theirs
        on known.notice_band = theirs.notice_band and theirs.tutor_id = (select tutor.tutor_id from tutor)
),

bands as (
    select
        from_hours,
        to_hours,
        is_short,
        tutor,
        (tutor / nullif(tutor_known, 0))::double precision as tutor_share,
        platform,
        (platform / nullif(platform_known, 0))::double precision as platform_share
    from notice
    where notice_band > 0
    order by notice_band
),

retention as (
    select
        known.session_number,
        coalesce(theirs.came, 0) as tutor,
        theirs.came::double precision / theirs.students as tutor_share,
        known.came as platform,
        known.came::double precision / nullif(known.students, 0) as platform_share,
        coalesce(theirs.students, 0) as students,
        known.students as platform_students
    from marts.platform_retention as known
    left join marts.tutor_retention as theirs
        on known.session_number = theirs.session_number and theirs.tutor_id = (select tutor.tutor_id from tutor)
),

steps as (
    select session_number, tutor, tutor_share, platform, platform_share from retention order by session_number
)

select
    {VERSION},
    (
        select
            json_build_object(
                'data', json_build_object(
                    'tutor_id', tutor.tutor_id,
                    'external_id', tutor.external_id,
                    'name', tutor.name,
                    'quality', json_build_object(
                        'score', tutor.quality_score,
                        'percentile', tutor.peer_percentile,
                        'rated_tutors', (select coalesce(sum(tutors), 0)::bigint from bins),
                        'bins', (select json_agg(bins) from bins)
                    ),
                    'notice', json_build_object(
                        'days', {NOTICE_DAYS},
                        'short_notice_hours', publication.short_notice_hours,
                        'tutor', (select {notice_counts("tutor")} from notice),
                        'platform', (select {notice_counts("platform")} from notice),
                        'bands', (select json_agg(bands) from bands)
                    ),
                    'retention', json_build_object(
                        'days', {RETENTION_DAYS},
                        'students', (select coalesce(max(students), 0) from retention),
                        'platform_students', (select coalesce(max(platform_students), 0) from retention),
                        'least_students', (publication.concern_rules ->> 'first_meetings_needed')::integer,
                        'steps', (select json_agg(steps) from steps)
                    )
                ),
                'meta', json_build_object({META_SQL})
            )
        from tutor
    )
from marts.publication
"""


def comparison(names: Sequence[str | None]) -> Statement:
    """One tutor beside all others; `names` as `names_of` gives them."""
    return Statement(COMPARISON, (names,), MISSING)
