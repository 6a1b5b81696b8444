"""Accepting a plan from the command line: its pairs are written as accepted offers. The API does the same
(`api/offers/commands.py`), by the same statements."""

from dataclasses import dataclass
from uuid import UUID

import psycopg

from core import audit, locks
from core.audit import Action, Entry
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ml.offers import STUDENTS, TUTORS, WRITE, PlannedPair, as_json, overfull, pending, slates_of_plan
from ml.plan import Answer

Pairs = list[tuple[UUID, UUID]]


@dataclass(frozen=True)
class Conditions:
    """Under which a plan was made."""

    unknown_capacity: int
    exploration_share: float
    seed: int


def accept(
    settings: Settings, database: Database, plan_id: UUID, answer: Answer, conditions: Conditions, actor: str
) -> int:
    """Write the pairs of a plan, with an entry in the audit log. Returns their number.

    Raises TutorqError if tutors have too few places by now, or somebody is not active any more; it writes nothing then.
    """
    pairs = [
        PlannedPair(pair.student_id, pair.tutor_id, pair.churn_probability, pair.is_fixed) for pair in answer.pairs
    ]
    if not pairs:
        return 0
    wanted = [(pair.student_id, pair.tutor_id) for pair in pairs]
    with database.connect() as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.ACCEPTANCE])
        subjects = dict(connection.execute(STUDENTS.format(ids="%s"), [[student for student, _ in wanted]]).fetchall())
        _check(connection, settings, wanted, subjects, conditions.unknown_capacity)
        slates = slates_of_plan(
            plan_id,
            pairs,
            subjects,
            model_version=answer.model,
            exploration_share=conditions.exploration_share,
            seed=conditions.seed,
            made_by=actor,
        )
        connection.execute(WRITE.format(parameter="%s"), [as_json(slates)])
        details = {"pairs": len(pairs), "model": answer.model}
        audit.record(connection, Entry(actor, Action.ASSIGNMENT_ACCEPT, "plan", str(plan_id), details))
    return len(pairs)


def _check(
    connection: psycopg.Connection, settings: Settings, pairs: Pairs, students: dict[UUID, str | None], unknown: int
) -> None:
    rows = connection.execute(TUTORS.format(ids="%s"), [[tutor for _, tutor in pairs]]).fetchall()
    names = {tutor: name for tutor, name, _ in rows}
    if any(student not in students or tutor not in names for student, tutor in pairs):
        raise TutorqError("somebody of the plan is not active any more; run it again")
    rooms = {tutor: unknown if places is None else places for tutor, _, places in rows}
    full = overfull(pairs, rooms, pending(connection, settings.offer_days))
    if full:
        said = "; ".join(
            sorted(f"{names[tutor]}: {free} free, {count} wanted" for tutor, (count, free) in full.items())
        )
        raise TutorqError(f"tutors have too few places by now ({said}); run it again")
