"""Forecasts, patterns, the case mix and the fairness audit of a demo, as dbt makes them and as they are recomputed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from psycopg.rows import dict_row

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from verify.frames import load_kept, load_publication, load_raw
from verify.inputs import Basis
from verify.recompute import fairness
from verify.recompute.counts import session_facts
from verify.recompute.evidence import BetaMixture, evidence, half_life_weights
from verify.recompute.forecasts import calibration, predicted, rises
from verify.recompute.slots import case_mix_expected, patterns, slots

if TYPE_CHECKING:
    from tests.conftest import Postgres

pytestmark = pytest.mark.slow

LIMIT = 0.15
# Three people excuse: one rarely, and half of all before cases are opened.
EXCUSES = """
insert into app.excuses (session_id, reason, created_by, created_at)
select
    session_id,
    'ill',
    (array['ann', 'ann', 'bob', 'ann', 'bob', 'bob', 'ann', 'ann', 'ann', 'cyd'])[1 + place % 10],
    now() + (place % 2) * interval '1 day'
from (
    select session_id, row_number() over (order by session_id) as place
    from raw.reschedules
    where initiator = 'tutor'
) as moved
where place % 7 = 0
"""
# So few tutors make large groups only if there are few groups.
TWO_OF_EACH = """
update raw.tutors
set
    time_zone = case when place % 2 = 0 then 'Europe/Vienna' else 'Asia/Kolkata' end,
    age = case when place % 5 < 2 then 30 else 45 end,
    hired_at = case when place % 9 < 4 then date '2020-01-01' else date '2026-01-01' end
from (select tutor_id as numbered, row_number() over (order by md5(tutor_id::text)) as place from raw.tutors) as drawn
where tutor_id = numbered
"""


@dataclass(frozen=True)
class Scored:
    """A scored demo: its facts, and daily counts (tutors, days) that begin on `first_day`."""

    database: Database
    settings: Settings
    basis: Basis
    facts: pd.DataFrame
    design_effect: float

    def rows(self, query: str) -> pd.DataFrame:
        with self.database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return pd.DataFrame(cursor.execute(query.encode()).fetchall())

    def daily(self) -> tuple[list[str], pd.Timestamp, np.ndarray, np.ndarray]:
        """Tutors, first day, sessions and let-downs by tutor and day."""
        counted = self.facts[self.facts["sessions"]]
        first = counted["counted_on"].min()
        day = (counted["counted_on"] - first).dt.days.to_numpy()
        tutor, ids = pd.factorize(counted["tutor_id"].astype("str"))
        shape = (len(ids), (pd.Timestamp(self.basis.as_of) - first).days + 1)
        inside = day < shape[1]
        found = []
        for weights in (np.ones(len(day)), counted["let_downs"].to_numpy(dtype=float)):
            grid = np.zeros(shape)
            np.add.at(grid, (tutor[inside], day[inside]), weights[inside])
            found.append(grid)
        return list(ids), first, found[0], found[1]


@pytest.fixture(scope="module")
def scored(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    home = tmp_path_factory.mktemp("honesty")
    database = postgres.new_database(home)
    until = date(2026, 6, 30)
    write_demo(home / "demo", tutors=50, students=400, days=270, seed=5, until=until)
    load_folder(database.as_role(DatabaseRole.INGEST), home / "demo", timezone="UTC")
    settings = Settings(home=home, database_url=database.url, as_of=until.isoformat())
    with database.connect() as connection:
        connection.execute(TWO_OF_EACH)
        connection.execute(EXCUSES)
    dbt_runner.build(settings, database, exclude=["tag:matching", "resource_type:test"])
    with database.connect() as connection:
        basis = load_publication(connection)
        frames = load_raw(connection)
        kept = load_kept(connection)
    return Scored(database, settings, basis, session_facts(frames, basis), kept.design_effect)


def test_patterns_are_those_of_the_recomputation(scored: Scored) -> None:
    ours = patterns(slots(scored.facts, scored.basis), scored.design_effect).sort_index()
    theirs = scored.rows("select * from marts.tutor_patterns").set_index("pattern_key").sort_index()
    assert list(theirs.index) == list(ours.index)
    assert len(theirs) > 300
    for name in ("sessions", "let_downs", "other_sessions", "other_let_downs"):
        assert (theirs[name] == ours[name]).all(), name
    assert theirs["rate_expected"].to_numpy() == pytest.approx(ours["rate_expected"].to_numpy(), abs=1e-12)
    assert theirs["p_value"].to_numpy(dtype=float) == pytest.approx(ours["p_value"].to_numpy(), rel=0.01, abs=1e-6)
    assert theirs["q_value"].to_numpy(dtype=float) == pytest.approx(ours["q_value"].to_numpy(), rel=0.02, abs=1e-6)
    is_clear = (ours["q_value"] - 0.1).abs() > 0.005
    assert (theirs["is_pattern"] == ours["is_pattern"])[is_clear].all()


def test_the_case_mix_is_that_of_the_recomputation_and_adds_up(scored: Scored) -> None:
    ours = case_mix_expected(slots(scored.facts, scored.basis), scored.basis).sort_index()
    theirs = scored.rows(
        """
        select tutor_id::text, case_mix_expected, sessions_90d, let_downs_90d from marts.tutor_scores
        where case_mix_expected is not null
        """
    ).set_index("tutor_id")
    theirs = theirs.sort_index()
    assert list(theirs.index) == list(ours.index)
    assert theirs["case_mix_expected"].to_numpy() == pytest.approx(ours.to_numpy(), abs=1e-9)
    assert ours.nunique() > 20
    expected = (theirs["case_mix_expected"] * theirs["sessions_90d"]).sum()
    assert expected == pytest.approx(theirs["let_downs_90d"].sum(), rel=1e-9)


def test_slots_hold_every_session_of_180_days(scored: Scored) -> None:
    known = scored.rows("select sum(sessions)::integer as n, sum(let_downs)::integer as k from marts.tutor_slots")
    window = slots(scored.facts, scored.basis)
    assert known.to_dict("records") == [{"n": len(window), "k": int(window["is_let_down"].sum())}]


def test_forecasts_of_the_year_before_are_made_of_what_was_known(scored: Scored) -> None:
    """Mondays before the first run: evidence of the days up to each, and P by SciPy's beta distribution."""
    ids, first, sessions, let_downs = scored.daily()
    found = evidence(sessions, let_downs, half_life_weights()).capped(60)
    rows = scored.rows(
        """
        select forecasts.*, tutor_id::text as tutor, rate_limit, prior_alpha, prior_beta, broad_alpha, broad_beta
        from app.forecasts inner join app.forecast_days using (forecast_on)
        """
    )
    days = (pd.to_datetime(rows["forecast_on"]) - first).dt.days.to_numpy()
    tutors = rows["tutor"].map({tutor: place for place, tutor in enumerate(ids)}).to_numpy()
    assert rows["trials"].to_numpy() == pytest.approx(found.trials[tutors, days], rel=1e-6)
    assert rows["events"].to_numpy() == pytest.approx(found.events[tutors, days], rel=1e-6, abs=1e-9)
    last_days = pd.Timestamp(scored.basis.as_of) - pd.Timedelta(days=29)
    earlier = pd.to_datetime(rows["forecast_on"]) < last_days
    assert set(pd.to_datetime(rows["forecast_on"])[earlier].dt.dayofweek) == {0}
    posterior = _posterior(rows)
    assert rows["probability"].to_numpy() == pytest.approx(posterior.exceeds(LIMIT), abs=2e-3)


def test_what_came_is_compared_with_the_beta_binomial_distribution(scored: Scored) -> None:
    ids, first, sessions, let_downs = scored.daily()
    outcomes = scored.rows(
        """
        select outcomes.*, tutor_id::text as tutor, trials, events, prior_alpha, prior_beta, broad_alpha, broad_beta
        from intermediate.int_forecast_outcomes as outcomes
        inner join app.forecasts using (tutor_id, forecast_on) inner join app.forecast_days using (forecast_on)
        """
    )
    assert len(outcomes) > 500
    days = (pd.to_datetime(outcomes["forecast_on"]) - first).dt.days.to_numpy()
    tutors = outcomes["tutor"].map({tutor: place for place, tutor in enumerate(ids)}).to_numpy()
    for name, counts in (("sessions", sessions), ("let_downs", let_downs)):
        ahead = [counts[tutor, day + 1 : day + 31].sum() for tutor, day in zip(tutors, days, strict=True)]
        assert (outcomes[name].to_numpy() == ahead).all(), name

    came = (outcomes["sessions"] > 0).to_numpy()
    some = outcomes[came]
    ours = predicted(_posterior(some), some["sessions"].to_numpy(dtype=np.int64), LIMIT)
    for name in ("expected", "inside", "above"):
        assert some[name].to_numpy(dtype=float) == pytest.approx(getattr(ours, name), abs=1e-9), name
    assert (some["low"].to_numpy() == ours.low).all()
    assert (some["high"].to_numpy() == ours.high).all()

    rose = rises(sessions, let_downs, LIMIT)
    week = [np.flatnonzero(rose[tutor, day - 6 : day + 1]) for tutor, day in zip(tutors, days, strict=True)]
    expected = [
        (first + pd.Timedelta(days=int(day - 6 + found[0]))).date() if len(found) else None
        for day, found in zip(days, week, strict=True)
    ]
    assert list(outcomes["above_limit_on"].astype("object").where(outcomes["above_limit_on"].notna(), None)) == expected
    assert any(expected)


def test_calibration_adds_outcomes_up(scored: Scored) -> None:
    ours = calibration(scored.rows("select * from intermediate.int_forecast_outcomes"))
    sums = ", ".join(f"sum({name})::double precision as {name}" for name in ours)
    (theirs,) = scored.rows(f"select {sums} from marts.score_calibration").to_dict("records")
    assert theirs == pytest.approx(ours)
    assert ours["raised"] > 10


def test_groups_are_those_of_the_recomputation(scored: Scored) -> None:
    tutors = scored.rows("select tutor_id::text, hired_at, time_zone, age from raw.tutors").set_index("tutor_id")
    scores = scored.rows(
        "select tutor_id::text, sessions_90d, let_downs_90d, attention, is_active from marts.tutor_scores"
    ).set_index("tutor_id")
    groups = fairness.groups_of_tutors(tutors, scores, scored.facts, scored.basis)
    judged = scores[scores["is_active"] & (scores["sessions_90d"] >= scored.basis.min_sessions)]
    raised = pd.DataFrame({"measure": "raised", "trials": 1, "events": judged["attention"].astype(int)})
    caused = fairness.caused_by_tutors(scored.facts, scored.basis)
    of_tutor = caused.groupby("tutor_id")["is_excused"].agg(["size", "sum"])
    excused = pd.DataFrame({"measure": "excused", "trials": of_tutor["size"], "events": of_tutor["sum"]})
    excuses = scored.rows("select session_id::text, created_by, created_at from app.excuses")
    opened = scored.rows("select tutor_id::text, min(opened_at) as opened_at from app.cases group by tutor_id")
    given = caused[caused["is_excused"]].merge(excuses, on="session_id").merge(opened, on="tutor_id", how="left")
    given["is_in_case"] = given["opened_at"] <= given["created_at"]
    by_person = given.groupby(["created_by", "tutor_id"])["is_in_case"].agg(["size", "sum"]).reset_index()
    people = pd.DataFrame(
        {
            "measure": "excused_in_case", "dimension": "excused_by", "level": by_person["created_by"],
            "tutor_id": by_person["tutor_id"], "trials": by_person["size"], "events": by_person["sum"],
        }
    )  # fmt: skip
    counts = pd.concat([groups.join(each, on="tutor_id", how="inner") for each in (raised, excused)] + [people])
    ours = fairness.compare(counts.reset_index(drop=True)).sort_index()

    theirs = scored.rows("select *, coalesce(person, level) as shown from marts.fairness_groups")
    of_excuses = theirs[theirs["measure"] == "excuses_given"].set_index("shown")
    theirs = theirs[theirs["measure"] != "excuses_given"].set_index(["measure", "dimension", "shown"]).sort_index()
    assert list(theirs.index) == list(ours.index)
    assert ours["p_value"].notna().sum() >= 10
    known = ours["share"].notna()
    assert (theirs["is_too_few"].to_numpy() == ~known.to_numpy()).all()
    for name in ("tutors", "trials"):
        assert (theirs[name] == ours[name]).all(), name
    for name in ("share", "low", "high"):
        assert theirs[name][known].to_numpy(dtype=float) == pytest.approx(ours[name][known].to_numpy(), abs=1e-6), name
    for name in ("p_value", "q_value"):
        assert theirs[name].to_numpy(dtype=float) == pytest.approx(
            ours[name].to_numpy(dtype=float), abs=1e-6, nan_ok=True
        ), name
    assert (theirs["is_difference"].to_numpy() == ours["is_difference"].to_numpy()).all()
    assert of_excuses["events"].dropna().sum() == len(given)
    assert of_excuses["share"].sum() == pytest.approx(1)


@pytest.mark.soak
def test_a_late_fact_changes_what_came_and_not_what_was_said(scored: Scored) -> None:
    """A session of two months ago is reported as missed; incremental runs and a full refresh agree."""
    said = "select * from app.forecasts order by tutor_id, forecast_on"
    outcomes = "select * from intermediate.int_forecast_outcomes order by tutor_id, forecast_on"
    before, came_before = scored.rows(said), scored.rows(outcomes)
    with scored.database.connect() as connection:
        connection.execute(
            """
            update raw.sessions set status = 'no_show', initiator = 'tutor', updated_at = now()
            where session_id in (
                select session_id from raw.sessions
                where status = 'completed' and scheduled_time between '2026-04-20' and '2026-04-25'
                order by session_id limit 40
            )
            """
        )
    dbt_runner.build(scored.settings, scored.database, exclude=["tag:matching", "resource_type:test"])
    came = scored.rows(outcomes)
    assert scored.rows(said).equals(before)
    assert came["let_downs"].sum() > came_before["let_downs"].sum()
    dbt_runner.build(
        scored.settings,
        scored.database,
        select=["int_forecast_outcomes", "score_calibration"],
        exclude=["resource_type:test"],
        full_refresh=True,
    )
    assert scored.rows(outcomes).equals(came)


def _posterior(rows: pd.DataFrame) -> BetaMixture:
    """One mixture per row, by the prior of its day."""
    parts = []
    for row in rows.itertuples():
        prior = BetaMixture(
            np.array([0.9, 0.1]),
            np.array([row.prior_alpha, row.broad_alpha]),
            np.array([row.prior_beta, row.broad_beta]),
        )
        parts.append(prior.updated(np.array([row.trials]), np.array([row.events])))
    return BetaMixture(
        *(np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("shares", "alpha", "beta"))
    )
