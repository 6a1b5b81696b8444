"""The model of student no-shows, on a marketplace of which every session's chance is known."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import no_shows
from benchmarks.harness import settings_of
from core import dbt_runner
from core.database import Database
from core.settings import Settings
from ingest import load_folder
from ml.evaluate import summary
from ml.features import STUDENT_NO_SHOW, canonical, labels, times
from ml.retraining import retrain
from ml.split import time_split
from ml.training_set import training_set

SIZE = no_shows.Size(tutors=20, students=250, days=200)
UNNAME = """
update raw.sessions set initiator = null
where status = 'no_show' and initiator = 'student' and get_byte(uuid_send(session_id), 15) % 2 = 0
"""
LABELS = """
select raw.status = 'no_show' and raw.initiator is null as is_unnamed, outcomes.is_student_no_show, count(*)
from marts.session_outcomes as outcomes
inner join raw.sessions as raw on outcomes.session_id = raw.session_id
where raw.status = 'no_show' and raw.initiator is distinct from 'tutor'
group by 1, 2
"""


@pytest.mark.soak
def test_it_learns_what_is_there_and_only_from_no_shows_that_name_somebody(database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database_url=database.url, as_of=no_shows.UNTIL.isoformat())
    truth = no_shows.write_world(tmp_path / "world", SIZE)
    load_folder(database, tmp_path / "world", timezone=settings.timezone)
    dbt_runner.build(settings, database)
    candidate = retrain(settings, database, STUDENT_NO_SHOW.kind).candidate
    assert candidate.is_promoted, candidate.reason
    frame = canonical(STUDENT_NO_SHOW, training_set(database, STUDENT_NO_SHOW))
    test = frame.iloc[time_split(times(STUDENT_NO_SHOW, frame)).test]
    ceiling = summary(labels(STUDENT_NO_SHOW, test), truth.loc[test["session_id"]].to_numpy(dtype=np.float64))["auc"]
    model, rules = candidate.metrics["model"], candidate.metrics["rules"]
    # The ceiling knows the habit of each student, which has to be learnt from 30 sessions or so.
    assert rules["auc"] + 0.03 < model["auc"] < ceiling + 0.01
    assert ceiling - model["auc"] < 0.5 * (ceiling - 0.5)
    assert model["calibration_error"] < 0.02

    with database.connect() as connection:
        connection.execute(UNNAME)
    found: dict[str, set[tuple[bool, bool | None]]] = {}
    for of in ("nobody", "student"):
        others = Settings.model_construct(**{**settings.model_dump(), "unnamed_no_shows": of})
        dbt_runner.build(others, database, select=["int_session_facts", "tag:matching"])
        with database.connect() as connection:
            rows = connection.execute(LABELS).fetchall()
        assert all(count > 50 for *_, count in rows)
        found[of] = {(is_unnamed, label) for is_unnamed, label, _ in rows}
        learnt = training_set(database, STUDENT_NO_SHOW)
        assert (len(learnt) == len(frame)) == (of == "student")
    assert found == {"nobody": {(True, None), (False, True)}, "student": {(True, True), (False, True)}}


@pytest.mark.soak
def test_prints_its_table(database: Database, tmp_path: Path) -> None:
    text = io.StringIO()
    no_shows.run(no_shows.TINY, Console(file=text, width=160), tmp_path, database)
    for words in ("promoted", "additive logistic", "XGBoost", "the ceiling"):
        assert words in text.getvalue()
