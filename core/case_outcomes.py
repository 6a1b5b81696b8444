"""What became of cases, counted over rows of `marts.cases` in the same way wherever it is shown."""

# As columns of a select over `marts.cases`, grouped by anything.
FIGURES = """
    count(case_id) as opened,
    count(closed_at) as closed,
    count(first_contact_at) as contacted,
    percentile_cont(0.5) within group (order by days_to_contact)
        filter (where arm is distinct from 'later') as median_days_to_contact,
    count(is_raised_after_30_days) as known_after_30_days,
    count(*) filter (where is_raised_after_30_days) as raised_after_30_days,
    avg(is_raised_after_30_days::integer)::double precision as share_raised_after_30_days,
    count(is_raised_after_90_days) as known_after_90_days,
    count(*) filter (where is_raised_after_90_days) as raised_after_90_days,
    avg(is_raised_after_90_days::integer)::double precision as share_raised_after_90_days
"""
