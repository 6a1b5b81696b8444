"""Past Mondays once more, with the settings of a shadow: who would have been raised, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from what_if.shadow import Progress, Shadow

# A Monday's concerns depend on the Mondays of the 30 days before it.
WARM_UP_WEEKS: Final = 5
EVERY_CONCERN: Final = "any"

REPLAYED = """
create temporary table replayed (
    tutor_id uuid not null,
    concern text not null,
    concern_day date not null,
    probability double precision,
    has_needs boolean
) on commit drop
"""
DAYS = """
select as_of, as_of - (select count(*) from intermediate.int_concern_dates)::integer + 1
from intermediate.int_platform
"""
FIRST_FACT = "select min(counted_on) from intermediate.int_tutor_days"
# What the last days are made of, as they are known now.
RECENT = """
insert into replayed
select tutor_id, concern, concern_day, probability, has_needs from intermediate.int_concern_days
where concern_day = any(%s)
"""
BEGIN = """
insert into intermediate.scoring_days (as_of, is_as_of) select day, false from unnest(%s::date[]) as day
"""
PRIORS = "select intermediate.add_concern_priors(%s::date, true)"
# By a constant, which gets down to the days that are read.
EARLIER = """
insert into replayed
select tutor_id, concern, concern_day, probability, has_needs from intermediate.int_concern_probabilities
where concern_day = '{day}' and concern <> 'getting_worse'
"""
STEPS = "create temporary table steps on commit drop as {steps}"
EARLIER_STEPS = """
insert into replayed
select known.tutor_id, 'getting_worse', known.concern_day, steps.probability, null
from replayed as known
inner join steps
    on known.tutor_id = steps.tutor_id and known.concern_day between steps.from_day and steps.to_day
where known.concern = 'unreliable' and known.concern_day = any(%s)
"""


@dataclass(frozen=True)
class Weeks:
    """What would have been said each Monday, and of how many it came true.

    raised, onsets: by Monday and concern (`any`: tutors with at least one), how many were raised, and how many of these
    were not the Monday before. judged, above, judged_raised, raised_above: tutors with 20 sessions or more in the 30
    days after; of these, above the let-down limit then; raised for let-downs; both.
    """

    by_concern: dict[str, list[dict[str, Any]]]
    judged: int
    above: int
    judged_raised: int
    raised_above: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with what is derived: shares are null where there is nothing to judge."""
        every = self.by_concern.get(EVERY_CONCERN, [])
        not_raised = self.judged - self.judged_raised
        return {
            "weeks": every,
            "by_concern": [
                {"concern": concern, **_means(weeks, len(every))}
                for concern, weeks in self.by_concern.items()
                if concern != EVERY_CONCERN
            ],
            **_means(every, len(every)),
            "judged": self.judged,
            "above": self.above,
            "judged_raised": self.judged_raised,
            "raised_above": self.raised_above,
            "right_share": self.raised_above / self.judged_raised if self.judged_raised else None,
            "missed_share": (self.above - self.raised_above) / not_raised if not_raised else None,
        }


def _means(weeks: Sequence[dict[str, Any]], count: int) -> dict[str, Any]:
    return {
        "onsets_per_week": sum(week["onsets"] for week in weeks) / count if count else None,
        "raised_on_average": sum(week["raised"] for week in weeks) / count if count else None,
    }


def replay(shadow: Shadow, steps: str, weeks: str, count: int, progress: Progress) -> Weeks:
    """Replay so many Mondays up to the day before the as-of day.

    Args:
        shadow: after `make`.
        steps, weeks: the compiled analyses of these names.
        count: how many Mondays, at most as many as `replayed_mondays` finds.
    """
    as_of, first_recent = shadow.execute(DAYS).fetchone() or (None, None)
    (first_fact,) = shadow.execute(FIRST_FACT).fetchone() or (None,)
    if as_of is None or first_recent is None or first_fact is None:
        return Weeks({}, 0, 0, 0, 0)
    mondays, wanted = replayed_mondays(as_of, first_fact, count)
    recent = [day for day in mondays if day >= first_recent]
    earlier = [day for day in mondays if day < first_recent]

    shadow.execute(REPLAYED)
    shadow.execute(RECENT, [recent])
    shadow.execute(BEGIN, [earlier])
    shadow.execute("analyze intermediate.scoring_days")
    for day in earlier:
        progress(f"week of {day.isoformat()}")
        shadow.execute(PRIORS, [day])
        shadow.execute(EARLIER.format(day=day.isoformat()))
    progress("sudden changes")
    shadow.execute(STEPS.format(steps=steps))
    shadow.execute("create index on steps (tutor_id, from_day)")
    shadow.execute("analyze steps")
    shadow.execute("analyze replayed")
    shadow.execute(EARLIER_STEPS, [earlier])
    shadow.execute("analyze replayed")
    progress("what came of it")
    return _summed(shadow.execute(weeks).fetchall(), wanted)


def replayed_mondays(as_of: date, first_fact: date, count: int) -> tuple[list[date], list[date]]:
    """Mondays to replay, oldest first, and those of them to tell of, at most `count`.

    They begin 30 days after the first session. Of that Monday itself nothing is told: of those who are raised on it,
    nobody knows who was raised the Monday before.
    """
    last = as_of - timedelta(days=(as_of.weekday() or 7))
    mondays = [last - timedelta(weeks=back) for back in reversed(range(count + WARM_UP_WEEKS))]
    mondays = [day for day in mondays if day >= first_fact + timedelta(days=30)]
    return mondays, mondays[1:][-count:]


def _summed(rows: Sequence[tuple[Any, ...]], wanted: Sequence[date]) -> Weeks:
    by_concern: dict[str, list[dict[str, Any]]] = {}
    sums = [0, 0, 0, 0]
    for day, concern, raised, onsets, *judged in rows:
        if day in wanted:
            by_concern.setdefault(concern, []).append({"week": day.isoformat(), "raised": raised, "onsets": onsets})
            sums = [one + other for one, other in zip(sums, judged, strict=True)]
    return Weeks(by_concern, *sums)
