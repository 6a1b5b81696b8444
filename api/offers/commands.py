"""Drawing and writing offers, and accepting them."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
from pydantic import BaseModel

from api.audit_writer import record
from api.bodies import invalid
from api.callers import AnyCaller
from api.database import Marts, with_app_tables
from api.matching.schemas.people import MatchStudent, MatchTutor
from api.matching.scoring import Grid, Scorer, as_stored
from api.offers import queries
from api.offers.schemas import AcceptedAssignment, AssignmentAcceptance, OfferRequest, OfferSlate
from api.paths import NO_STUDENT
from api.problems import ConflictError, FieldError, NotFoundError
from api.turns import Turns
from core import locks
from core.audit import Action, Entry
from core.settings import Settings
from ingest.ids import entity_uuid
from ml.features import MATCH
from ml.model import Model
from ml.offers import (
    ACCEPTED,
    PENDING,
    SEED_BITS,
    STUDENTS,
    TUTORS,
    WRITE,
    Offered,
    Order,
    PlannedPair,
    Slate,
    as_json,
    candidates,
    draw,
    is_held_out,
    lottery_of,
    overfull,
    slates_of_plan,
    week_of,
)
from ml.rules import rules_for

# A slate takes some 50 ms with thousands of tutors.
PER_KEY = 8
AT_A_TIME = 32
PATIENCE_SECONDS = 10

LOCK = f"select pg_advisory_xact_lock({locks.ACCEPTANCE})"
OTHER_REQUEST = "There is a slate with this id, for another student, subject or count. Use a new id."
NO_OFFER = "There is no such slate, or the tutor is not in it."
NOBODY = "No tutor of the subject has a free place and has not met the student."
OFFERS = "select tutor_id, accepted_at from ml.offers where slate_id = $1 order by place"
ACCEPT = """
update ml.offers set accepted_at = now(), accepted_by = $3
where slate_id = $1 and tutor_id = $2 and accepted_at is null
"""
STUDENT_OF = "select student_id from ml.slates where slate_id = $1"
# Named in a refusal; more would be no sentence.
MOST_NAMED = 5
# Without a known capacity nothing says that another student would be too many.
UNKNOWN = 1_000_000


class _People(BaseModel):
    """What the query gives."""

    student: MatchStudent | None
    tutors: list[MatchTutor]
    holdout_key: UUID


class Offers:
    """Draws slates and writes what was offered and accepted.

    Raises (every method):
        NotPublishedError: there are no scores yet.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, marts: Marts, scorer: Scorer, settings: Settings) -> None:
        self._pool = pool
        self._marts = marts
        self._scorer = scorer
        self._settings = settings
        self._turns = Turns("offers", per_key=PER_KEY, in_all=AT_A_TIME)

    def turn(self, caller: AnyCaller) -> AbstractAsyncContextManager[None]:
        """To be held while a slate is drawn.

        Raises:
            TooManyAtOnceError, OverloadedError: others take too long.
        """
        return self._turns.turn(caller, PATIENCE_SECONDS)

    async def offer(self, student_id: UUID, wanted: OfferRequest, actor: str) -> OfferSlate:
        """Draw a slate and write it; the one of this id if there is one.

        Raises:
            NotFoundError: there is no such student.
            ConflictError: the student is not active, nobody can be offered, or the id is that of another slate.
        """
        slate_id = UUID(wanted.slate_id) if wanted.slate_id else uuid4()
        stored = await self._stored(slate_id) if wanted.slate_id else None
        if stored is None:
            read = await self._marts.read(queries.people(student_id, wanted.subject, self._settings.offer_days))
            assert read.body is not None
            people = _People.model_validate_json(read.body)
            if people.student is None:
                raise NotFoundError(NO_STUDENT)
            if not people.student.is_active:
                raise ConflictError("The student is not active.")
            if not people.tutors:
                raise ConflictError(NOBODY)
            by = await self._scorer.champion()
            slate = await asyncio.to_thread(self._drawn, slate_id, people, wanted, by.model, actor)
            await with_app_tables(
                self._pool,
                lambda connection: connection.execute(WRITE.format(parameter="$1"), as_json([slate])),
            )
            stored = await self._stored(slate_id)
            assert stored is not None
        if (
            stored.student_id != student_id
            or wanted.subject not in (None, stored.subject)
            or len(stored.offers) > wanted.count
        ):
            raise ConflictError(OTHER_REQUEST)
        return stored

    async def accept(self, slate_id: UUID, tutor_id: UUID, actor: str) -> OfferSlate:
        """Note that this tutor of the slate was chosen; again changes nothing.

        Raises:
            NotFoundError: there is no such offer.
            ConflictError: another tutor of the slate was accepted, or this one is full or has left.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                await connection.execute(LOCK)
                accepted = {row["tutor_id"]: row["accepted_at"] for row in await connection.fetch(OFFERS, slate_id)}
                if tutor_id not in accepted:
                    raise NotFoundError(NO_OFFER)
                if accepted[tutor_id] is not None:
                    return
                if any(accepted.values()):
                    raise ConflictError("Another tutor of this slate was accepted.")
                pair = (await connection.fetchval(STUDENT_OF, slate_id), tutor_id)
                rooms = await self._rooms(connection, [tutor_id], {}, UNKNOWN)
                if tutor_id not in rooms:
                    raise ConflictError("The tutor is not active any more.")
                await self._check(connection, [pair], rooms, "Ask for another slate.")
                await connection.execute(ACCEPT, slate_id, tutor_id, actor)
                details = {"tutor_id": str(tutor_id)}
                await record(connection, Entry(actor, Action.OFFER_ACCEPT, "offer", str(slate_id), details))

        await with_app_tables(self._pool, work)
        stored = await self._stored(slate_id)
        assert stored is not None
        return stored

    async def accept_assignment(self, accepted: AssignmentAcceptance, actor: str) -> AcceptedAssignment:
        """Write the pairs of an assignment as accepted offers; the same again changes nothing.

        Raises:
            InvalidRequestError: it names somebody who is not active.
            ConflictError: tutors have too few places by now, or other pairs were accepted under this id.
        """
        plan_id = UUID(accepted.plan_id)
        pairs = [
            PlannedPair(entity_uuid(pair.student_id), entity_uuid(pair.tutor_id), pair.churn_probability, pair.is_fixed)
            for pair in accepted.pairs
        ]
        wanted = [(pair.student_id, pair.tutor_id) for pair in pairs]
        capacities = {entity_uuid(each.tutor_id): each.capacity for each in accepted.capacities}

        async def work(connection: Any) -> AcceptedAssignment:
            async with connection.transaction():
                await connection.execute(LOCK)
                before = {tuple(row) for row in await connection.fetch(ACCEPTED.format(plan="$1"), plan_id)}
                if before:
                    if before != set(wanted):
                        raise ConflictError("Other pairs of this assignment were accepted. Run it again.")
                    return AcceptedAssignment(plan_id=plan_id, pairs=len(before), is_new=False)
                subjects = {
                    row["student_id"]: row["subject"]
                    for row in await connection.fetch(STUDENTS.format(ids="$1"), [student for student, _ in wanted])
                }
                rooms = await self._rooms(
                    connection, [tutor for _, tutor in wanted], capacities, accepted.default_capacity
                )
                _check_people(wanted, subjects, rooms)
                await self._check(connection, wanted, rooms, "Run the assignment again.")
                slates = slates_of_plan(
                    plan_id,
                    pairs,
                    subjects,
                    model_version=accepted.model_version,
                    exploration_share=accepted.exploration_share,
                    seed=accepted.seed,
                    made_by=actor,
                )
                await connection.execute(WRITE.format(parameter="$1"), as_json(slates))
                details = {"pairs": len(pairs), "model": accepted.model_version}
                await record(connection, Entry(actor, Action.ASSIGNMENT_ACCEPT, "plan", str(plan_id), details))
            return AcceptedAssignment(plan_id=plan_id, pairs=len(pairs), is_new=True)

        await self._marts.version()
        return await with_app_tables(self._pool, work)

    def _drawn(self, slate_id: UUID, people: _People, wanted: OfferRequest, model: Model, actor: str) -> Slate:
        settings, student = self._settings, people.student
        assert student is not None
        subject = wanted.subject or (student.subjects[0] if len(student.subjects) == 1 else None)
        week = week_of(datetime.now(ZoneInfo(settings.timezone)).date())
        held_out = is_held_out(people.holdout_key, subject, week, settings.offer_holdout)
        policy: Order = settings.offer_holdout_policy if held_out else "model"
        exploration = 0.0 if held_out else settings.offer_exploration
        lottery = lottery_of(policy, exploration)
        churn = Grid(model, [student], people.tutors).churn[0]
        rules = Grid(rules_for(MATCH), [student], people.tutors).churn[0]
        among = candidates([tutor.tutor_id for tutor in people.tutors], churn, rules, wanted.count)
        seed = secrets.randbits(SEED_BITS)
        drawn = draw(among, wanted.count, lottery, seed)
        return Slate(
            slate_id=slate_id,
            student_id=student.student_id,
            subject=subject,
            source="offer",
            plan_id=None,
            policy=policy,
            model_version=model.version,
            exploration_share=exploration,
            lottery=lottery,
            seed=seed,
            holdout_share=settings.offer_holdout,
            holdout_week=week if settings.offer_holdout else None,
            is_holdout=held_out,
            candidates=among.tutors,
            candidate_churn=[as_stored(each) for each in among.churn],
            candidate_rules=[as_stored(each) for each in among.rules],
            made_by=actor,
            offers=[
                Offered(place, among.tutors[at], float(propensity), as_stored(among.churn[at]))
                for place, (at, propensity) in enumerate(zip(drawn.places, drawn.propensity, strict=True), start=1)
            ],
        )

    async def _stored(self, slate_id: UUID) -> OfferSlate | None:
        body = await with_app_tables(self._pool, lambda connection: connection.fetchval(queries.SLATE, slate_id))
        return None if body is None else OfferSlate.model_validate_json(body)

    async def _rooms(
        self, connection: Any, tutors: Sequence[UUID], given: Mapping[UUID, int], otherwise: int
    ) -> dict[UUID, int]:
        """Places of those of the tutors who are active: as given, else the free ones, else `otherwise`."""
        rows = await connection.fetch(TUTORS.format(ids="$1"), tutors)
        free = {row["tutor_id"]: row["free_capacity"] for row in rows}
        return {tutor: given.get(tutor, otherwise if places is None else places) for tutor, places in free.items()}

    async def _check(
        self, connection: Any, pairs: Sequence[tuple[UUID, UUID]], rooms: Mapping[UUID, int], advice: str
    ) -> None:
        """
        Raises:
            ConflictError: a tutor would get more students than there are places.
        """
        pending = await connection.fetch(PENDING.format(days="$1"), self._settings.offer_days)
        full = overfull(pairs, rooms, [(row["student_id"], row["tutor_id"]) for row in pending])
        if not full:
            return
        rows = await connection.fetch(TUTORS.format(ids="$1"), list(full))
        named = sorted((row["name"], *full[row["tutor_id"]]) for row in rows)
        said = "; ".join(f"{name}: {free} free, {count} wanted" for name, count, free in named[:MOST_NAMED])
        more = f"; and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        raise ConflictError(f"Tutors have too few places by now ({said}{more}). {advice}")


def _check_people(pairs: Sequence[tuple[UUID, UUID]], students: Mapping[UUID, Any], tutors: Mapping[UUID, Any]) -> None:
    """
    Raises:
        InvalidRequestError: somebody is not active, or not there, or a student is named twice.
    """
    faults = []
    seen: set[UUID] = set()
    for at, (student, tutor) in enumerate(pairs):
        if student not in students:
            faults.append(FieldError(field=f"pairs.{at}.student_id", message="There is no active student with this id"))
        elif student in seen:
            faults.append(FieldError(field=f"pairs.{at}.student_id", message="This student has a tutor already"))
        if tutor not in tutors:
            faults.append(FieldError(field=f"pairs.{at}.tutor_id", message="There is no active tutor with this id"))
        seen.add(student)
    if faults:
        raise invalid(faults)
