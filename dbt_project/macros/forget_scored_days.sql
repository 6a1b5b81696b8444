{#
    Before score_history: take out the days that are about to be scored, so that a day on which nobody is left
    to score becomes empty, too. `as_of` is int_as_of. The days are those of int_scoring_days.
#}
{% macro forget_scored_days(as_of) %}
    {% if is_incremental() %}
        delete from {{ this }}
        where
            as_of in (select as_of from {{ as_of }})
            {% if var('scoring_days') %} or as_of in ('{{ var("scoring_days") | join("', '") }}') {% endif %}
    {% endif %}
{% endmacro %}
