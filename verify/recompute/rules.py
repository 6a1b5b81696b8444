"""What concerns are judged by: each field is a dbt var of that name, as `marts.publication` has it."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from core.errors import TutorqError
from verify.inputs import Basis


@dataclass(frozen=True)
class Rules:
    """The default ones. Probabilities, rates and shares are fractions, ratings 1-5, spreads standard deviations."""

    high_risk_probability: float = 0.8
    """From here on a concern is raised."""
    watch_probability: float = 0.5
    """A raised concern stays raised from here on, for `concern_days`."""
    concern_days: int = 30
    pace_days: int = 30
    projected_days: int = 365

    evidence_days: int = 180
    evidence_half_life_days: float = 30
    evidence_cap: float = 60
    no_show_half_life_days: float = 90
    no_show_evidence_cap: float = 150
    broad_share: float = 0.1

    min_sessions: int = 5
    starts_needed: int = 10
    first_meetings_needed: int = 5
    ratings_needed: int = 5

    greatest_limit: float = 0.95
    no_show_limit: float = 0.03
    late_start_limit: float = 0.10
    first_meeting_margin: float = 0.05
    rating_margin: float = 0.3

    first_session_window_days: int = 365
    first_session_follow_up_days: int = 30
    """A new student who has not come back after so many days is lost."""
    lost_student_fallback_prior: tuple[float, float] = (3, 7)

    rating_broad_variance: float = 0.5
    rating_fallback_variance: float = 0.5
    rating_fallback_spread: float = 0.2
    rating_least_spread: float = 0.05

    filter_days_between_jumps: float = 180
    # fmt: off
    filter_rates: tuple[float, ...] = (
        .01, .02, .035, .05, .065, .08, .095, .11, .125, .14,
        .16, .18, .20, .225, .25, .28, .32, .37, .43, .5, .6, .75,
    )
    """For a limit of 0.15, ten of them below it."""
    # fmt: on


RULES = Rules()


def published_rules(basis: Basis) -> Rules:
    """The rules of a publication.

    Raises:
        TutorqError: not all of them are published.
    """
    published = {**basis.concern_rules, **asdict(basis)}
    names = [field.name for field in fields(Rules)]
    if unsaid := [name for name in names if name not in published]:
        raise TutorqError(f"marts.publication lacks {', '.join(unsaid)}; run `tutorq score` to publish anew")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value := published[name], list) else value for name in names
    }
    return Rules(**values)
