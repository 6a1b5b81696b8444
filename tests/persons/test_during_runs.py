"""A person is erased while a run is at work on them: the run succeeds, and nothing of the person is left after both."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import psycopg
import pytest

from core import locks
from core.dbt_runner import build
from ingest.ids import entity_uuid
from ml.model import Model
from ml.predictions import plan_pairs, predict_share, publish_pairs
from ml.rules import AttritionRules, MatchRules, SessionRules, StudentNoShowRules
from ml.session_predictions import predict_sessions
from ml.tutor_predictions import predict_tutors
from persons.erase import Erased, erase
from persons.identity import identify
from tests.crashes.harness import Platform, join, wait_for
from tests.persons.conftest import NEEDLES, PLANNED, STUDENT, TUTOR, Marketplace, fill

pytestmark = pytest.mark.soak

FOUND = re.compile("|".join(map(re.escape, NEEDLES)), re.IGNORECASE)
WAITING = (
    "select count(*) from pg_locks where locktype = 'advisory' and not granted and %s in (classid, objid)"
    " and database = (select oid from pg_database where datname = current_database())"
)


class Hesitant:
    """A model that waits in the middle of its work until it may go on."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.is_at_work, self.may_go_on = Event(), Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def predict(self, matrix: Any) -> Any:
        self.is_at_work.set()
        assert self.may_go_on.wait(120)
        return self._model.predict(matrix)


def erase_one(marketplace: Marketplace, called: str) -> Erased:
    with marketplace.database.connect() as connection:
        identity = identify(connection, called)
    return erase(marketplace.settings, marketplace.database, identity, actor="test")


def left_of(marketplace: Marketplace) -> list[str]:
    return [line[:200] for line in marketplace.dump().splitlines() if FOUND.search(line)]


@pytest.mark.parametrize("called", [TUTOR, STUDENT])
def test_predictions_of_tutors_and_sessions(joined: Marketplace, called: str) -> None:
    build(joined.settings, joined.database)
    hesitant = Hesitant(AttritionRules() if called == TUTOR else SessionRules())
    with ThreadPoolExecutor(2) as threads:
        if called == TUTOR:
            predicting = threads.submit(predict_tutors, joined.database, hesitant)
        else:
            predicting = threads.submit(predict_sessions, joined.database, hesitant, StudentNoShowRules())
        assert hesitant.is_at_work.wait(120)
        erasing = threads.submit(erase_one, joined, called)
        wait_for(
            lambda: erasing.done() or joined.value(WAITING, [locks.PREDICTIONS]), "the erasure waits for the prediction"
        )
        hesitant.may_go_on.set()
        assert predicting.result(120) > 0
        assert erasing.result(120).left == []
    if called == TUTOR:
        left = joined.value("select count(*) from ml.tutor_predictions where tutor_id = %s", [entity_uuid(TUTOR)])
    else:
        left = joined.value("select count(*) from ml.session_predictions where session_id = %s", [entity_uuid(PLANNED)])
    assert left == 0


def test_a_scoring_run(joined: Marketplace) -> None:
    fill(joined)
    build(joined.settings, joined.database)
    platform = Platform(joined.database, joined.settings)
    with psycopg.connect(joined.database.url) as obstacle, ThreadPoolExecutor(2) as threads:
        obstacle.execute("lock table marts.publication in share mode")
        with joined.database.connect() as connection:
            connection.execute("insert into raw.changes (entity, entity_id) values ('tutor', %s)", [entity_uuid(TUTOR)])
        run = platform.start_build()
        wait_for(lambda: "publication" in platform.waiting(), "the run comes to its publication")
        erasing = threads.submit(lambda: [erase_one(joined, called) for called in (TUTOR, STUDENT)])
        wait_for(lambda: joined.value(WAITING, [locks.DBT]), "the erasure waits for the run")
        obstacle.commit()
        join(run)
        assert [done.left for done in erasing.result(300)] == [[], []]
    assert left_of(joined) == []
    # What follows on the erasure has nobody to score either, and agrees with one from scratch.
    build(joined.settings, joined.database)
    assert left_of(joined) == []


def test_between_two_parts_of_a_prediction(joined: Marketplace) -> None:
    """Half of the buckets were made with them; the others are made, and all are published, after they are gone."""
    build(joined.settings, joined.database)
    database, settings = joined.database, joined.settings
    plan = plan_pairs(settings, database, MatchRules(), asked_by="run")
    for share in plan.shares[:8]:
        predict_share(settings, database, plan.run, share)
    assert [erase_one(joined, called).left for called in (TUTOR, STUDENT)] == [[], []]
    for share in plan.shares[8:]:
        predict_share(settings, database, plan.run, share)
    publish_pairs(settings, database, plan.run)
    assert left_of(joined) == []
