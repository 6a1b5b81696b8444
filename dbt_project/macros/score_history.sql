{#
    The days that a run records in score_history, as a query: those of int_scoring_days, which as an ephemeral model
    cannot be named in a hook. `as_of` is int_as_of.
#}
{% macro days_being_scored(as_of) -%}
    select as_of from {{ as_of }}
    {%- for day in var('scoring_days') %} union select '{{ day }}'::date {%- endfor %}
{%- endmacro %}


{#
    Before score_history: take out the days that are about to be scored, so that a day on which nobody is left to
    score becomes empty, too.
#}
{% macro forget_scored_days(as_of) %}
    {% if is_incremental() %}
        delete from {{ this }} where as_of in ({{ days_being_scored(as_of) }})
    {% endif %}
{% endmacro %}


{#
    After score_history: since when each tutor has had the status, for the days that were scored and all after them,
    which may go on from another stretch now. Days in a row with the same status share the difference between the day
    and its place among the days with that status.
#}
{% macro join_on_status_stretches(as_of) %}
    with days as (
        select
            tutor_id,
            as_of,
            risk_status,
            as_of - row_number() over (partition by tutor_id, risk_status order by as_of)::integer as stretch
        from {{ this }}
        where as_of >= (select min(as_of) from ({{ days_being_scored(as_of) }}) as scored)
    ),

    stretches as (
        select
            *,
            min(as_of) over (partition by tutor_id, risk_status, stretch) as first_day
        from days
    ),

    joined as (
        select
            stretches.tutor_id,
            stretches.as_of,
            coalesce(before.risk_status_since, stretches.first_day) as risk_status_since
        from stretches
        left join {{ this }} as before
            on
                stretches.tutor_id = before.tutor_id
                and before.as_of = stretches.first_day - 1
                and stretches.risk_status = before.risk_status
    )

    update {{ this }} as history
    set risk_status_since = joined.risk_status_since
    from joined
    where
        history.tutor_id = joined.tutor_id
        and history.as_of = joined.as_of
        and history.risk_status_since <> joined.risk_status_since
{% endmacro %}
