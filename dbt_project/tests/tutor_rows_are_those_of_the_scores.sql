{{ config(tags=['thorough'], meta={'dagster': {'ref': {'name': 'tutor_scores'}}}) }}

-- Each tutor with a score has the row that lists show, and it says what the scores and concerns say.
-- depends_on: {{ ref('tutor_concerns') }}

with expected as (
    select
        scores.tutor_id,
        left(row_to_json(shown)::text, -1) as row_json
    from {{ ref('tutor_scores') }} as scores
    cross join lateral (
        select
            scores.*,
            {% for concern in ['unreliable', 'getting_worse', 'no_shows', 'late_starts', 'loses_new_students', 'low_ratings'] %}
                (
                    select max(concerns.probability) from {{ ref('tutor_concerns') }} as concerns
                    where concerns.tutor_id = scores.tutor_id and concerns.concern = '{{ concern }}'
                ) as {{ concern }}_probability{{ ',' if not loop.last }}
            {% endfor %}
    ) as shown
)

select
    expected.tutor_id as scored_tutor_id,
    kept.tutor_id as kept_tutor_id
from expected
full join intermediate.tutor_rows as kept on expected.tutor_id = kept.tutor_id
where expected.row_json is distinct from kept.row_json
