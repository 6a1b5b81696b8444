"""The measurement of forecasts: what it reads from a landing folder, and that its scores are those of SciPy."""

import importlib
import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from core.database import Database
from core.settings import PROJECT_ROOT
from verify.recompute.evidence import BetaMixture


@pytest.fixture
def forecast(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    # Not an installed package: `python -m benchmarks` finds it because it is started in the project's folder.
    monkeypatch.syspath_prepend(str(PROJECT_ROOT))
    return importlib.import_module("benchmarks.forecast")


def test_scores_are_those_of_the_beta_binomial_distribution(forecast: ModuleType) -> None:
    n, k = np.array([1, 40, 300]), np.array([1, 0, 55])
    alpha, beta = np.array([[2.0, 3.0, 40.0], [1.0, 1.0, 1.0]]), np.array([[18.0, 9.0, 160.0], [3.0, 3.0, 3.0]])
    shares = np.array([[0.9, 0.5, 0.2], [0.1, 0.5, 0.8]])
    below, log_score = forecast._distribution_at(BetaMixture(shares, alpha, beta), n.astype(float), k.astype(float))
    assert log_score == pytest.approx(np.log((shares * stats.betabinom.pmf(k, n, alpha, beta)).sum(axis=0)))
    assert below == pytest.approx((shares * stats.betabinom.cdf(k - 1, n, alpha, beta)).sum(axis=0))


def test_a_landing_folder_is_counted_by_day(forecast: ModuleType, tmp_path: Path) -> None:
    """A move asked for earlier counts then; what is only scheduled, or moved by the student, is no let-down."""
    header = "session_id,tutor_id,scheduled_time,status,completed_time,initiator"
    rows = [
        "1,a,2026-01-01T10:00:00Z,completed,2026-01-01T11:00:00Z,",
        "2,a,2026-01-05T10:00:00Z,rescheduled,,",
        "3,a,2026-01-04T10:00:00Z,no_show,,tutor",
        "4,b,2026-01-04T10:00:00Z,cancelled,,student",
        "5,b,2026-01-03T10:00:00Z,rescheduled,,",
        "6,b,2026-01-06T10:00:00Z,scheduled,,",
    ]
    (tmp_path / "sessions.csv").write_text("\n".join([header, *rows]))
    moves = ["session_id,initiator,requested_at", "2,tutor,2026-01-02T09:00:00Z", "5,student,2026-01-03T09:00:00Z"]
    (tmp_path / "reschedules.csv").write_text("\n".join(moves))
    history = forecast.landing_history("two tutors", tmp_path)
    assert history.sessions.tolist() == [[1, 1, 0, 1], [0, 0, 1, 1]]
    assert history.let_downs.tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]
    by_schedule = forecast.landing_history("two tutors", tmp_path, by_schedule=True)
    assert by_schedule.let_downs.tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]


def test_shuffling_keeps_every_tutors_let_downs_and_days(forecast: ModuleType, tmp_path: Path) -> None:
    """Tutor a lets down the first half of its sessions, b none; each tutor's sessions stay on their days."""
    days = [f"2026-0{month}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    rows = [f"{tutor}{day},{tutor},{day}T10:00:00Z,rescheduled" for day in days for tutor in "ab"]
    (tmp_path / "sessions.csv").write_text(
        "\n".join(["session_id,tutor_id,scheduled_time,status", *rows, "z,c,2026-03-01T10:00:00Z,completed"])
    )
    moves = [f"a{day},tutor,{day}T09:00:00Z" for day in days[:28]]
    (tmp_path / "reschedules.csv").write_text("\n".join(["session_id,initiator,requested_at", *moves]))
    plain, shuffled = (forecast.landing_history("x", tmp_path, is_shuffled=each) for each in (False, True))
    assert (shuffled.sessions == plain.sessions).all()
    assert shuffled.let_downs.sum(axis=1).tolist() == plain.let_downs.sum(axis=1).tolist() == [28, 0, 0]
    assert 5 < shuffled.let_downs[0, :28].sum() < 23


@pytest.mark.soak
def test_prints_a_table(forecast: ModuleType, database: Database, tmp_path: Path) -> None:
    text = io.StringIO()
    forecast.run(forecast.TINY, Console(file=text, width=200), tmp_path, database)
    table = text.getvalue()
    lines = ["demo:", "jumping:", "30 / 60", "filter, φ 1", "any of these", "cores"]
    assert [line for line in lines if line not in table] == []
