{{ config(tags=['thorough'], meta={'dagster': {'ref': {'name': 'tutor_scores'}}}) }}

-- Each tutor with a score has the row that lists show, and it says what the scores and concerns say.

with known as (
    select
        {% for concern in var('concerns') %}
            max(probability) filter (where concern = '{{ concern }}') as {{ concern }},
        {% endfor %}
        tutor_id
    from {{ ref('tutor_concerns') }}
    group by tutor_id
),

shown as (
    select
        scores.*{% for concern in var('concerns') %}, known.{{ concern }} as {{ concern }}_probability{% endfor %} -- noqa: LT05
    from {{ ref('tutor_scores') }} as scores
    left join known on scores.tutor_id = known.tutor_id
)

select
    shown.tutor_id as scored_tutor_id,
    kept.tutor_id as kept_tutor_id
from shown
full join intermediate.tutor_rows as kept on shown.tutor_id = kept.tutor_id
where left(row_to_json(shown)::text, -1) is distinct from kept.row_json
