"""How urgent a conversation with a tutor is: one order for tutors, cases and mail, as SQL over `marts.tutor_scores`."""

# A change stays news for four weeks, also if it is superseded meanwhile: the alarm is, as soon as it is confirmed, and
# nobody is less urgent for that.
NEWS_DAYS = 28
NEWS = f"""
    known.concern = 'getting_worse'
    and known.status = 'raised'
    and (not known.superseded or known.raised_on > known.as_of - {NEWS_DAYS})
"""

# What is at risk in the next 7 days. The expected rate lags behind a sudden change: the rate of the last 30 days counts
# if it is higher. So a large change comes first, and a small one where it would be without.
AT_RISK = f"""coalesce(
    greatest(
        scores.harm_sessions,
        case
            when scores.tutor_id in (select known.tutor_id from marts.tutor_concerns as known where {NEWS})
                then scores.planned_sessions_7d * scores.let_down_rate_30d
        end
    ),
    0
)"""
