"""How honest flags are, over HTTP: sums of the mart, filters, and what cannot be asked."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import yaml

from api.calibration.schemas import VOLUMES
from core.honesty import HORIZON_DAYS, JUDGED_SESSIONS, Honesty, sentences
from core.settings import PROJECT_ROOT
from tests.api.conftest import Served
from verify.recompute.fairness import wilson

PATH = "/api/calibration"
CELLS = """
insert into marts.score_calibration (
    forecast_month, subject, volume_from, probability_band, forecasts, noted_later, sessions, let_downs,
    let_downs_expected, covered, covered_expected, judged, judged_squares, probability_sum, above_expected, above,
    raised, raised_above_expected, raised_above, rises, rises_flagged, flagged_after_days
)
values
    ('2025-11-01', 'maths', 20, 9, 40, 40, 1000, 300, 290, 36, 37, 30, 100, 28.5, 27, 24, 30, 27, 24, 5, 4, 24),
    ('2025-12-01', 'maths', 60, 0, 60, 0, 2000, 100, 120, 57, 55.5, 50, 125, 1.5, 2, 4, 0, 0, 0, 3, 0, 0),
    ('2025-12-01', '', 0, 1, 10, 0, 60, 6, 7, 10, 9.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""


@pytest.fixture(scope="module")
def cells(published: Served) -> Iterator[None]:
    """Cells of known sums in place of those of the small marketplace."""
    with published.database.connect() as connection:
        connection.execute("create table public.kept_cells as select * from marts.score_calibration")
        connection.execute("truncate marts.score_calibration")
        connection.execute(CELLS)
    yield
    with published.database.connect() as connection:
        connection.execute("truncate marts.score_calibration")
        connection.execute("insert into marts.score_calibration select * from public.kept_cells")
        connection.execute("drop table public.kept_cells")


def asked(client: httpx2.Client, **filters: str | int) -> Any:
    answer = client.get(PATH, params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.mark.usefixtures("cells")
def test_cells_are_put_together(client: httpx2.Client) -> None:
    known = asked(client)
    totals = known["totals"]
    assert (totals["forecasts"], totals["noted_later"], totals["missed"]) == (110, 40, 4)
    assert totals["coverage"] == pytest.approx(103 / 110)
    assert totals["coverage_expected"] == pytest.approx(102 / 110)
    assert (totals["right_share"], totals["right_share_expected"]) == (pytest.approx(0.8), pytest.approx(0.9))
    assert totals["false_alarm_share"] == pytest.approx(0.2)
    assert totals["missed_share"] == pytest.approx(4 / 50)
    assert (totals["flagged_share"], totals["days_to_flag"]) == (0.5, 6)
    assert [each["month"] for each in known["by_month"]] == ["2025-11-01", "2025-12-01"]
    assert [(each["sessions_from"], each["sessions_to"]) for each in known["by_volume"]] == [
        (0, 19),
        (20, 59),
        (60, 149),
    ]
    assert [each["subject"] for each in known["by_subject"]] == ["", "maths"]
    # The band without judged forecasts is absent.
    assert [(band["probability_from"], band["above_share"]) for band in known["reliability"]] == [(0, 0.08), (0.9, 0.8)]
    # 30 checks that share days are worth 30² / 100 = 9, and 50 are worth 20: the textbook's intervals of so many.
    for band, draws in zip(known["reliability"], (20, 9), strict=True):
        ends = (band["above_share_low"], band["above_share_high"])
        assert ends == pytest.approx(wilson(band["above_share"], draws), abs=1e-4)
    assert known["sentences"][0].startswith("Of 30 weekly checks of flagged tutors, 80% were right")
    assert known["sentences"][0].endswith("If every stated chance were exact, 90% would be right.")
    assert known["sentences"][-1].endswith("4 were flagged within 30 days, after 6.0 days on average.")


@pytest.mark.usefixtures("cells")
def test_filters_choose_cells_and_leave_the_choices(client: httpx2.Client) -> None:
    known = asked(client, month="2025-12", subject="maths", volume=60)
    assert known["totals"]["forecasts"] == 60
    assert known["totals"]["right_share"] is None
    assert known["months"] == ["2025-11-01", "2025-12-01"]
    assert known["subjects"] == ["", "maths"]
    nothing = asked(client, month="2024-01")
    assert nothing["totals"]["forecasts"] == 0
    assert nothing["totals"]["coverage"] is nothing["totals"]["coverage_expected"] is None
    assert (nothing["by_month"], nothing["sentences"]) == ([], [])


@pytest.mark.parametrize(
    ("filters", "field"),
    [({"month": "2025-13"}, "month"), ({"month": "0000-01"}, "month"), ({"volume": "21"}, "volume"), ({"x": "1"}, "x")],
)
def test_what_makes_no_sense_is_refused_by_field(client: httpx2.Client, filters: dict[str, str], field: str) -> None:
    answer = client.get(PATH, params=filters)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_words_and_bands_are_those_of_the_formulas() -> None:
    declared = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text())["vars"]
    assert [0, *declared["volume_bands"]] == list(VOLUMES)
    assert (declared["forecast_days"], declared["judged_sessions"]) == (HORIZON_DAYS, JUDGED_SESSIONS)


def test_nothing_is_said_of_nothing() -> None:
    counts = {name: 0 for name, field in Honesty.model_fields.items() if field.is_required()}
    shares = [name for name in counts if name.endswith(("share", "expected")) or name.startswith("coverage")]
    nothing = Honesty.model_validate(counts | dict.fromkeys(shares) | {"let_downs_expected": 0, "days_to_flag": None})
    assert sentences(nothing, 0.15) == []
