{#
    2^(-age / half-life) in units of 2^-40: sums of integers are the same in any order. That of half the half-life is the
    square. Each list is a constant, of which Postgres takes one element.
#}
{% set half_lives = [var('evidence_half_life_days'), var('no_show_half_life_days')] %}
select
    case half_life_days
        {% for days in half_lives + [half_lives[0] / 2, half_lives[1] / 2] %}
            when {{ days }}
                then (array[
                    {% for age in range(var('evidence_days')) %}{{ (2 ** (40 - age / days)) | round | int }}{{ ', ' if not loop.last }}{% endfor %}
                ]::bigint[])[age_days + 1]
        {% endfor %}
    end
