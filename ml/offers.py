"""Offers: which tutors are shown to a student, drawn with known probabilities, and how that is written down.

A slate is a list of tutors, best first, that is shown to one student. Before it is drawn, a lottery says how probable
each order of the candidates is: that of the model, that of the rules, or one of chance. So the probability of every
tutor at every place is known in closed form, and `ml/policy.py` can say what another order would have done.
"""

import hmac
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal, LiteralString, get_args
from uuid import UUID, uuid4

import numpy as np
import psycopg

from ml.features import Floats, Integers, Matrix

Order = Literal["model", "rules", "chance"]
ORDERS: tuple[Order, ...] = get_args(Order)
Lottery = Mapping[Order, float]

# Chance draws from as many of the model's first, and the rules' own first: below them it would cost students more than
# can be learnt.
MOST_CANDIDATES = 10
MOST_PLACES = 10
# Seeds are kept in a bigint, and JSON readers know 53 bits.
SEED_BITS = 32

# Of each student the newest acceptance that no session has followed yet: a place that is spoken for. {days}: how many
# days an acceptance counts.
PENDING: LiteralString = """
select newest.student_id, newest.tutor_id
from (
    select distinct on (slates.student_id) slates.student_id, offers.tutor_id, offers.accepted_at
    from ml.offers as offers
    inner join ml.slates as slates on offers.slate_id = slates.slate_id
    where offers.accepted_at > now() - make_interval(days => {days}::integer)
    order by slates.student_id, offers.accepted_at desc, offers.tutor_id
) as newest
where
    not exists (
        select from marts.fct_sessions as sessions
        where
            sessions.student_id = newest.student_id
            and sessions.tutor_id = newest.tutor_id
            and sessions.scheduled_time >= newest.accepted_at
    )
"""

# Of a plan that was accepted: the pairs.
ACCEPTED: LiteralString = """
select slates.student_id, offers.tutor_id
from ml.slates as slates
inner join ml.offers as offers on slates.slate_id = offers.slate_id
where slates.plan_id = {plan}
"""

STUDENTS: LiteralString = """
select student_id, case when cardinality(subjects) = 1 then subjects[1] end as subject
from marts.match_students
where is_active and student_id = any({ids}::uuid[])
"""
TUTORS: LiteralString = """
select tutor_id, coalesce(external_id, tutor_id::text) as name, free_capacity
from marts.match_tutors
where is_active and tutor_id = any({ids}::uuid[])
"""

# For one parameter: slates with their offers as a JSON array (`as_json`). One that is there stays as it is.
WRITE: LiteralString = """
with given as (
    select *
    from jsonb_to_recordset({parameter}::text::jsonb) as slate (
        slate_id uuid, student_id uuid, subject text, source text, plan_id uuid, policy text, model_version text,
        exploration_share real, lottery jsonb, seed bigint, holdout_share real, holdout_week date, is_holdout boolean,
        candidates uuid[], candidate_churn real[], candidate_rules real[], made_by text, offers jsonb
    )
),

written as (
    insert into ml.slates (
        slate_id, student_id, subject, source, plan_id, policy, model_version, exploration_share, lottery, seed,
        holdout_share, holdout_week, is_holdout, candidates, candidate_churn, candidate_rules, made_by
    )
    select
        slate_id, student_id, subject, source, plan_id, policy, model_version, exploration_share, lottery, seed,
        holdout_share, holdout_week, is_holdout, candidates, candidate_churn, candidate_rules, made_by
    from given
    on conflict do nothing
    returning slate_id
)

insert into ml.offers (slate_id, place, tutor_id, propensity, churn_probability, accepted_at, accepted_by)
select
    given.slate_id,
    offer.place,
    offer.tutor_id,
    offer.propensity,
    offer.churn_probability,
    case when given.source = 'assignment' then now() end,
    case when given.source = 'assignment' then given.made_by end
from written
inner join given on written.slate_id = given.slate_id
cross join lateral jsonb_to_recordset(given.offers) as offer (
    place smallint, tutor_id uuid, propensity double precision, churn_probability real
)
"""


@dataclass(frozen=True)
class Candidates:
    """Tutors of whom a slate is drawn, in the order of the model; churn probabilities (tutors,) in single precision."""

    tutors: tuple[UUID, ...]
    churn: Matrix
    rules: Matrix

    def __len__(self) -> int:
        return len(self.tutors)

    @property
    def by_rules(self) -> Integers:
        """Positions in the order of the rules; of equals, the model's first."""
        return np.argsort(self.rules, kind="stable")


@dataclass(frozen=True)
class Draw:
    """`order`: which of the orders came up. `places`: (size,) positions of the candidates shown, first place first.
    `propensity`: (size,) probability before the draw of each of them at its place."""

    order: Order
    places: Integers
    propensity: Floats


@dataclass(frozen=True)
class Offered:
    """A tutor at a place of a slate. `propensity` is None where nobody knows how probable it was."""

    place: int
    tutor_id: UUID
    propensity: float | None
    churn_probability: float


@dataclass(frozen=True)
class Slate:
    """A row of `ml.slates` with its offers."""

    slate_id: UUID
    student_id: UUID
    subject: str | None
    source: Literal["offer", "assignment"]
    plan_id: UUID | None
    policy: str
    model_version: str
    exploration_share: float
    lottery: Lottery | None
    seed: int | None
    holdout_share: float
    holdout_week: date | None
    is_holdout: bool
    candidates: Sequence[UUID]
    candidate_churn: Sequence[float]
    candidate_rules: Sequence[float]
    made_by: str
    offers: Sequence[Offered]


def lottery_of(policy: Order, exploration_share: float = 0.0) -> Lottery:
    """How probable each order is: that of the policy but for the exploration share, of which half goes to the rules'
    order and half to chance. The rules are what the model is to be compared with, so they are tried more often than
    chance would try them; chance gives any other order a probability above 0."""
    lottery: dict[Order, float] = dict.fromkeys(ORDERS, 0.0)
    lottery[policy] += 1 - exploration_share
    lottery["rules"] += exploration_share / 2
    lottery["chance"] += exploration_share / 2
    return lottery


def candidates(tutors: Sequence[UUID], churn: Matrix, rules: Matrix, size: int) -> Candidates:
    """The model's first `MOST_CANDIDATES` and the rules' first `size`, in the model's order; of equals, by id.

    `churn`, `rules`: (tutors,) probabilities in single precision.
    """
    ids = np.array([tutor.hex for tutor in tutors])
    by_model = np.lexsort((ids, churn))
    by_rules = np.lexsort((ids, churn, rules))
    chosen = np.isin(by_model, [*by_model[: max(size, MOST_CANDIDATES)], *by_rules[:size]])
    kept = by_model[chosen]
    return Candidates(tuple(tutors[at] for at in kept), churn[kept], rules[kept])


def propensities(by_rules: Integers, size: int, lotteries: Floats) -> Floats:
    """(slates, size, candidates): the probability of each candidate at each place. Over candidates they sum to 1.

    `by_rules`: (slates, candidates) positions in the order of the rules; in that of the model they are 0, 1, 2, …
    `lotteries`: (slates, orders), as `shares`.
    """
    slates, count = by_rules.shape
    size = min(size, count)
    places = np.arange(size)
    by_model, by_the_rules, by_chance = (lotteries[:, at, np.newaxis] for at in range(len(ORDERS)))
    answer = np.repeat(by_chance[:, :, np.newaxis] / max(count, 1), size, axis=1).repeat(count, axis=2)
    answer[:, places, places] += by_model
    answer[np.arange(slates)[:, np.newaxis], places, by_rules[:, :size]] += by_the_rules
    return answer


def slate_propensities(by_rules: Integers, shown: Integers, lotteries: Floats) -> Floats:
    """(slates,): the probability of these slates as a whole. `shown`: (slates, size) positions of the candidates; the
    others as for `propensities`."""
    size, count = shown.shape[1], by_rules.shape[1]
    by_order = {
        "model": (shown == np.arange(size)).all(axis=1),
        "rules": (shown == by_rules[:, :size]).all(axis=1),
        "chance": np.full(len(shown), 1 / math.perm(count, size)),
    }
    chances: Floats = np.sum([lotteries[:, at] * by_order[order] for at, order in enumerate(ORDERS)], axis=0)
    return chances


def shares(lottery: Lottery) -> Floats:
    """(orders,) of a lottery, in the order of `ORDERS`."""
    return np.array([lottery[order] for order in ORDERS], dtype=np.float64)


def draw(among: Candidates, size: int, lottery: Lottery, seed: int) -> Draw:
    """A slate of so many tutors, or of all candidates if there are fewer. The same arguments give the same slate."""
    rng = np.random.default_rng(seed)
    order = ORDERS[int(rng.choice(len(ORDERS), p=shares(lottery)))]
    shuffled = rng.permutation(len(among))
    in_order = {"model": np.arange(len(among)), "rules": among.by_rules, "chance": shuffled}[order]
    places = in_order[:size]
    [chances] = propensities(among.by_rules[np.newaxis], size, shares(lottery)[np.newaxis])
    return Draw(order, places, chances[np.arange(len(places)), places])


def week_of(day: date) -> date:
    """The Monday of the week."""
    return day - timedelta(days=day.weekday())


def is_held_out(key: UUID, subject: str | None, week: date, share: float) -> bool:
    """Whether the cell of this subject and week is held out: by a keyed hash, so that nobody can choose a cell, and
    every process says the same."""
    text = json.dumps([subject, week.isoformat()], ensure_ascii=False)
    number = int.from_bytes(hmac.digest(key.bytes, text.encode(), "sha256")[:8])
    return number < share * 2**64


def overfull(
    pairs: Iterable[tuple[UUID, UUID]], room: Mapping[UUID, int], pending: Iterable[tuple[UUID, UUID]]
) -> dict[UUID, tuple[int, int]]:
    """Tutors whom these pairs (student, tutor) would give more students than they have places: (wanted, free) of each.

    `room`: free places by tutor. `pending`: pairs accepted before which no session has followed yet; they take places
    as well, but for students who get a tutor now.
    """
    wanted = list(pairs)
    students = {student for student, _ in wanted}
    spoken_for = Counter(tutor for student, tutor in pending if student not in students)
    counted = Counter(tutor for _, tutor in wanted)
    free = {tutor: max(0, room[tutor] - spoken_for[tutor]) for tutor in counted}
    return {tutor: (count, free[tutor]) for tutor, count in counted.items() if count > free[tutor]}


def pending(connection: psycopg.Connection, days: int) -> list[tuple[UUID, UUID]]:
    """Pairs (student, tutor) accepted before, without a session since: their places are spoken for."""
    return [(student, tutor) for student, tutor in connection.execute(PENDING.format(days="%s"), [days]).fetchall()]


@dataclass(frozen=True)
class PlannedPair:
    """A pair of an assignment, as it was shown."""

    student_id: UUID
    tutor_id: UUID
    churn_probability: float
    is_fixed: bool


def slates_of_plan(
    plan_id: UUID,
    pairs: Sequence[PlannedPair],
    subjects: Mapping[UUID, str | None],
    *,
    model_version: str,
    exploration_share: float,
    seed: int,
    made_by: str,
) -> list[Slate]:
    """What is written when an assignment is accepted: a slate of one tutor per student.

    An assignment without exploration gives each student this tutor for certain. With it, the probability hangs on
    all students who might have been drawn, and is not known. A fixed pair was nobody's proposal.
    """
    return [
        Slate(
            slate_id=uuid4(),
            student_id=pair.student_id,
            subject=subjects[pair.student_id],
            source="assignment",
            plan_id=plan_id,
            policy="by_hand" if pair.is_fixed else "assignment",
            model_version=model_version,
            exploration_share=exploration_share,
            lottery=None,
            seed=seed,
            holdout_share=0,
            holdout_week=None,
            is_holdout=False,
            candidates=(),
            candidate_churn=(),
            candidate_rules=(),
            made_by=made_by,
            offers=[
                Offered(
                    1,
                    pair.tutor_id,
                    None if pair.is_fixed or exploration_share else 1.0,
                    pair.churn_probability,
                )
            ],
        )
        for pair in pairs
    ]


def as_json(slates: Sequence[Slate]) -> str:
    """What `WRITE` takes."""
    return json.dumps([asdict(slate) for slate in slates], ensure_ascii=False, default=str)
