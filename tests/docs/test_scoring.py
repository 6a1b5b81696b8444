"""The numbers of the worked examples in docs/scoring.md, by the reference implementation.

Each example gives phrases that have to stand in the text, word for word but for line breaks. Printed:
`python -m tests.docs.test_scoring`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import special

from core.settings import PROJECT_ROOT
from verify.recompute.change_filter import ChangeFilter
from verify.recompute.concerns import Concern, DailyCounts, StoredDays, assess
from verify.recompute.evidence import BetaMixture, Evidence, Floats, Posterior, evidence, half_life_weights
from verify.recompute.forecasts import predicted
from verify.recompute.quality import WEIGHTS, QualityReference, components, quality_score, variance_shares, z_scores
from verify.recompute.rating_evidence import RatingPrior, Ratings, rating_evidence, rating_posterior
from verify.recompute.slots import case_mix_odds, cell_p_values

TEXT = (PROJECT_ROOT / "docs" / "scoring.md").read_text()
VARS = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text())["vars"]
LIMITS = {"unreliable": 0.15, "no_shows": 0.03, "late_starts": 0.10, "loses_new_students": 0.33}
DAYS = 400
Days = Iterable[int]


def prior(mean: float, weight: float, limit: float) -> BetaMixture:
    """Of a platform with this mean rate, and a narrow part of so many trials."""
    u = min(0.5, max(limit, 2 * mean))
    s = max(4, 1 / u)
    return BetaMixture(
        np.array([0.9, 0.1]), np.array([mean * weight, s * u]), np.array([(1 - mean) * weight, s * (1 - u)])
    )


LET_DOWNS = prior(0.11, 18.52, LIMITS["unreliable"])
PRIORS = {
    "unreliable": LET_DOWNS,
    "no_shows": prior(0.007, 1 / 0.007, LIMITS["no_shows"]),
    "late_starts": prior(0.05, 20, LIMITS["late_starts"]),
    "loses_new_students": prior(0.28, 199, LIMITS["loses_new_students"]),
}
RATINGS = RatingPrior(np.array(4.26), np.array(0.04), np.array(0.5))
FILTER = ChangeFilter.of_prior(LET_DOWNS, LIMITS["unreliable"])


def counts(**named: Days) -> DailyCounts:
    """One tutor; of each kind, how many days ago each was."""
    daily = DailyCounts(*(np.zeros((1, DAYS)) for _ in fields(DailyCounts)))
    for name, ages in named.items():
        for age in ages:
            getattr(daily, name)[0, -1 - age] += 1
    return daily


def concerns(daily: DailyCounts) -> dict[str, Concern]:
    stored = {
        name: StoredDays(
            BetaMixture(*(np.repeat(part[:, np.newaxis], 30, axis=1) for part in (each.shares, each.alpha, each.beta))),
            np.full(30, LIMITS[name]),
        )
        for name, each in PRIORS.items()
    }
    return assess(daily, FILTER, stored=stored)


def of_counts(mixture: BetaMixture, trials: float, events: float, limit: float) -> Posterior:
    return mixture.updated(np.array([float(trials)]), np.array([float(events)])).summary(limit)


def discounted(daily: DailyCounts) -> tuple[float, float, float]:
    sums = evidence(daily.sessions, daily.let_downs, half_life_weights())
    return float(sums.trials[0, -1]), float(sums.events[0, -1]), float(sums.effective_trials[0, -1])


def percent(rate: Floats, digits: int = 0) -> str:
    return f"{100 * rate.item():.{digits}f}%"


def certainty(probability: Floats) -> str:
    return "more than 99%" if probability.item() > 0.99 else percent(probability)


def every(number: int, of: int) -> list[bool]:
    """`number` of `of`, spread evenly."""
    return [(place + 1) * number // of > place * number // of for place in range(of)]


# A session on every second day of the last 80.
FORTY = range(0, 80, 2)
SPREAD = (4, 12, 22, 30, 40, 48, 56, 66, 74)
LATELY = range(2, 38, 4)
LONG_AGO = range(44, 80, 4)


def nine_of_forty() -> list[str]:
    phrases = []
    for when, ages in (("evenly", SPREAD), ("in the last 40 days", LATELY), ("40 to 80 days ago", LONG_AGO)):
        daily = counts(sessions=FORTY, let_downs=ages)
        found = concerns(daily)["unreliable"]
        trials, events, _ = discounted(daily)
        phrases.append(
            f"| {when} | {events:.1f} of {trials:.1f} | {percent(found.expected, 1)} | {percent(found.low, 1)} to "
            f"{percent(found.high, 1)} | {percent(found.probability)} | `{found.status[0]}` |"
        )
    trials, events, effective = discounted(counts(sessions=FORTY, let_downs=SPREAD))
    posterior = LET_DOWNS.updated(np.array([trials]), np.array([events]))
    lately = concerns(counts(sessions=FORTY, let_downs=LATELY))["unreliable"]
    held = concerns(counts(sessions=FORTY, let_downs=SPREAD))["getting_worse"]
    assert held.status[0] == "raised"
    simple = (events + LET_DOWNS.alpha[0]) / (trials + 18.52)
    return [
        *phrases,
        f"({events:.1f} + {LET_DOWNS.alpha[0]:.2f}) of ({trials:.1f} + 18.52), or {100 * simple:.1f}%; the broad part "
        f"makes it {percent(posterior.mean(), 1)}",
        f"the tutor's forty sessions count as {trials:.1f}, the nine let-downs as {events:.1f}",
        f"({effective:.1f} effective ones)",
        f"`Beta({LET_DOWNS.alpha[0]:.2f}, {LET_DOWNS.beta[0]:.2f})`",
        f"`Beta({LET_DOWNS.alpha[1]:.2f}, {LET_DOWNS.beta[1]:.2f})`",
        f"`{posterior.shares[0, 0]:.3f} · Beta({posterior.alpha[0, 0]:.2f}, {posterior.beta[0, 0]:.2f}) + "
        f"{posterior.shares[1, 0]:.3f} · Beta({posterior.alpha[1, 0]:.2f}, {posterior.beta[1, 0]:.2f})`",
        f"the chance is {percent(held.probability)} today. It was 80% or more {held.raised_days[0]} days ago",
        f"it was raised {lately.raised_days[0]} days ago, and ends in {lately.clears_in_days[0]} days",
    ]


def small_and_large_numbers() -> list[str]:
    rows = []
    for trials, events in ((4, 1), (12, 3), (40, 4), (40, 9), (80, 18), (400, 90)):
        capped = Evidence(np.array([float(trials)]), np.array([float(events)]), np.ones(1)).capped(60)
        found = of_counts(LET_DOWNS, capped.trials.item(), capped.events.item(), 0.15)
        counted = f"{capped.events.item():g} of {capped.trials.item():g}"
        rows.append(
            f"| {events} of {trials} | {100 * events / trials:g}% | {counted} | {percent(found.expected, 1)} | "
            f"{certainty(found.probability)} |"
        )
    return rows


def canceller() -> list[str]:
    cancelled = [age for age, is_cancelled in enumerate(every(34, 60)) if is_cancelled]
    found = concerns(counts(sessions=range(60), let_downs=cancelled))
    classic = concerns(counts(sessions=range(60)))
    unreliable = found["unreliable"]
    assert found["getting_worse"].superseded[0]
    return [
        f"expected rate is {percent(unreliable.expected)} (between {percent(unreliable.low)} and "
        f"{percent(unreliable.high)}), the chance of more than 15% is {certainty(unreliable.probability)}",
        f"`unreliable` is `{unreliable.status[0]}`. It ends in {unreliable.clears_in_days[0]} days",
        f"chance is {percent(classic['unreliable'].probability, 1)} and the status `{classic['unreliable'].status[0]}`",
    ]


def no_show() -> list[str]:
    sessions, earlier = range(0, 80, 4), (8, 28, 48)
    rows = []
    for what, let_downs, no_shows in (
        ("is held", earlier, ()),
        ("is moved by the tutor", (4, *earlier), ()),
        ("is missed by the tutor", (4, *earlier), (4,)),
    ):
        found = concerns(counts(sessions=sessions, let_downs=let_downs, no_shows=no_shows))
        unreliable, missed = found["unreliable"], found["no_shows"]
        rows.append(
            f"| {what} | {percent(unreliable.probability)} | {percent(missed.expected, 1)} | "
            f"{percent(missed.probability)} |"
        )
    return rows


def lost_students() -> list[str]:
    mixture = PRIORS["loses_new_students"]
    narrow = BetaMixture(np.ones(1), mixture.alpha[:1], mixture.beta[:1])
    found, alone = (of_counts(each, 24, 15, LIMITS["loses_new_students"]) for each in (mixture, narrow))
    few = of_counts(mixture, 4, 3, LIMITS["loses_new_students"])
    return [
        f"expected share is {percent(found.expected)}, and the chance of more than 33% is "
        f"**{percent(found.probability)}**",
        f"Without the broad part it would be {percent(alone.probability)}, and the expected share "
        f"{percent(alone.expected)}",
        f"3 of 4 lost would give {percent(few.probability)}",
    ]


def sudden_change() -> list[str]:
    """One session a day; none of 150 is let down, then 13 of 28, evenly, and so on."""
    good, bad = 150, 60
    sessions, let_downs = np.zeros((1, DAYS)), np.zeros((1, DAYS))
    sessions[0, -good - bad :] = 1
    let_downs[0, -bad:] = every(13, 28) + every(13, 28) + every(13, 28)[: bad - 56]
    by_filter = FILTER.run(sessions, let_downs).probability[0, -bad:]
    capped = evidence(sessions, let_downs, half_life_weights()).capped(60)
    by_evidence = LET_DOWNS.updated(capped.trials[0], capped.events[0]).exceeds(0.15)[-bad:]
    flat = evidence(sessions, let_downs, np.ones(90))
    beta = BetaMixture(np.ones(1), LET_DOWNS.alpha[:1], LET_DOWNS.beta[:1])
    by_window = beta.updated(flat.trials[0], flat.events[0]).exceeds(0.15)[-bad:]
    first = [int((found >= 0.8).argmax()) + 1 for found in (by_filter, by_evidence, by_window)]
    rows = [
        f"| {day} | {let_downs[0, -bad:][:day].sum():g} of {day} | {certainty(by_filter[day - 1])} | "
        f"{percent(by_evidence[day - 1])} |"
        for day in (7, 14, 21, 28)
    ]
    return [
        *rows,
        f"`getting_worse` is raised on day {first[0]}, `unreliable` on day {first[1]}",
        f"a flat window of 90 days would have taken {first[2]} days",
    ]


def quality() -> list[str]:
    found = concerns(
        counts(
            sessions=FORTY,
            let_downs=SPREAD,
            no_shows=SPREAD[:1],
            first_meetings=range(40, 180, 20),
            first_meetings_lost=(40, 120),
        )
    )
    daily = np.zeros((1, 180))
    daily[0, -48::4] = 1
    ratings = rating_evidence(daily, 4.4 * daily, daily, half_life_weights())
    rating = rating_posterior(Ratings(*(part[:, -1] for part in ratings)), RATINGS).mean()
    reference = QualityReference(
        np.array(VARS["shipped_quality_means"]), np.array(VARS["shipped_quality_covariance"]).reshape(4, 4)
    )
    expected = [found[name].expected for name in ("unreliable", "no_shows", "loses_new_students")]
    rows = components(expected[0], expected[1], expected[2], rating)
    z = z_scores(rows, reference)[0]
    parts = np.sqrt(WEIGHTS) * z
    shown = [f"{percent(expected[0], 1)} let-downs", f"{percent(expected[1], 1)} no-shows",
             f"{percent(expected[2], 1)} lost", f"{rating.item():.2f} stars"]  # fmt: skip
    names = ("reliability", "attendance", "first session", "rating")
    (score,) = quality_score(rows, reference)
    shares = variance_shares(reference)
    return [
        *(
            f"| {names[place]} | {shown[place]} | {_signed(rows[0, place])} | {_signed(reference.means[place])} ± "
            f"{reference.spreads[place]:.2f} | {_signed(z[place])} | {special.ndtr(z[place]):.2f} | "
            f"{_signed(parts[place])} |"
            for place in range(4)
        ),
        f"The sum is {_signed(parts.sum())}",
        f"standard deviation of {parts.sum() / special.ndtri(score / 100):.2f}",
        f"100 · Φ({_signed(special.ndtri(score / 100))}) = **{score:.1f}**: better than {score:.0f}% of",
        ", ".join(f"{100 * share:.0f}" for share in shares) + "%",
    ]


def slots() -> list[str]:
    """A pattern, the case mix and a forecast."""
    (p,) = cell_p_values(np.array([40.0]), np.array([14.0]), np.array([200.0]), np.array([32.0]), 1.5)
    tutors = {"a": (30, 10, 30, 5), "b": (20, 10, 40, 10)}
    frame = pd.DataFrame(
        [
            (tutor, level, place < k)
            for tutor, (on, missed, others, let_down) in tutors.items()
            for level, n, k in (("5", on, missed), ("1", others, let_down))
            for place in range(n)
        ],
        columns=["tutor_id", "weekday", "is_let_down"],
    )
    said = predicted(LET_DOWNS.updated(np.array([40.0]), np.array([9.0])), np.array([30]), LIMITS["unreliable"])
    return [
        f"it would have been {40 * 32 / 200:.1f}",
        f"with a probability of {percent(p, 2)}",
        f"(14 + 10 · 16%) of 50, or {percent(np.array((14 + 10 * 32 / 200) / 50))}",
        f"Fridays have {case_mix_odds(frame, 'weekday')['5']:g} times the odds of Mondays",
        f"{said.low[0]} to {said.high[0]} of 30 sessions are likely",
        f"The range should hold {100 * said.inside[0]:.0f} times of 100",
    ]


def _signed(number: float) -> str:
    return f"{number:.2f}".replace("-", "\N{MINUS SIGN}")


EXAMPLES: tuple[Callable[[], list[str]], ...] = (
    nine_of_forty,
    small_and_large_numbers,
    canceller,
    no_show,
    lost_students,
    sudden_change,
    quality,
    slots,
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_examples_are_as_computed(example: Callable[[], list[str]]) -> None:
    text = " ".join(TEXT.split())
    assert not [phrase for phrase in example() if phrase not in text]


def test_parameters_are_those_of_dbt() -> None:
    # A default that is a link is described there.
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^\[]+?) \|", TEXT.partition("## Parameters")[2], re.MULTILINE)
    described = {
        name: default
        for names, defaults in rows
        for name, default in zip(re.findall(r"\w+", names), _split(defaults, names), strict=True)
    }
    assert len(described) > 30
    assert {name: _as_text(VARS[name]) for name in described} == described


def _split(defaults: str, names: str) -> list[str]:
    """One name may have a list, several have a default each."""
    return defaults.split(", ") if "," in names else [defaults.replace("`", "")]


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_as_text, value)) or "none"
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


if __name__ == "__main__":
    for each in EXAMPLES:
        print(f"{each.__name__}:", *each(), sep="\n  ")
