{#
    Called by tutor_scores before it is made, after tutor_concerns: adds quality_score's part to the reference that
    set_score_reference has set, once enough tutors have all four components.
#}
{% set concerns = ['unreliable', 'no_shows', 'loses_new_students', 'low_ratings'] %}
{% set components = ['reliability', 'attendance', 'first_session', 'rating'] %}
begin
    with newest as (
        select reference_id from app.score_reference
        where reference_id = (select max(reference_id) from app.score_reference) and means is null
    ),

    tutors as (
        select
            {% for concern in concerns %}
                max({{ 'expected' if concern == 'low_ratings' else 'ln(expected / (1 - expected))' }})
                    filter (where concern = '{{ concern }}') as {{ components[loop.index0] }}{{ ',' if not loop.last }}
            {% endfor %}
        from marts.tutor_concerns
        where exists (select from newest)
        group by tutor_id
        having
            count(expected) filter (where concern in ('{{ concerns | join("', '") }}')) = 4
            and max(trials) filter (where concern = 'unreliable') >= {{ var('min_sessions') }}
    ),

    measured as (
        select
            count(*) as rated,
            array[{% for a in components %}avg({{ a }}){{ ', ' if not loop.last }}{% endfor %}] as means,
            array[
                {% for a in components %}
                    {% for b in components %}covar_samp({{ a }}, {{ b }}){{ ', ' if not loop.last }}{% endfor %}{{ ',' if not loop.last }}
                {% endfor %}
            ] as covariance
        from tutors
    )

    update app.score_reference as reference
    set quality_tutors = measured.rated, means = measured.means, covariance = measured.covariance
    from newest, measured
    where reference.reference_id = newest.reference_id and measured.rated >= {{ var('tutors_of_a_reference') }};
end
