"""Many people in one request, written in one transaction; bad rows do not stop the others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from pydantic import ValidationError

from api.bodies import errors_of
from api.callers import AnyCaller
from api.people.commands import STUDENT, TUTOR, Kind, People, Person
from api.people.schemas import StudentPost, TutorPost, number_as_text
from api.problems import FieldError, OverloadedError
from api.rows import NotJson
from api.turns import Turns
from core.erased import REASON
from ingest.contract import LONGEST_ID
from ingest.parser import quarantine_json

MOST_BYTES = 20 << 20
# Bodies that are read, or wait to be written, of one key and in all.
PER_KEY, IN_ALL = 2, 4
PATIENCE_SECONDS = 5
# Batches that are written at a time.
AT_A_TIME = 1
# Of a rejected row, in quarantine.
KEPT_CHARACTERS = 20_000

MODELS: dict[Kind, type[StudentPost] | type[TutorPost]] = {STUDENT: StudentPost, TUTOR: TutorPost}


class PeopleBatches:
    """Checks and writes batches of people, few at a time: whoever changes one person by hand does not wait for them."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._bodies = Turns("batches of people", per_key=PER_KEY, in_all=IN_ALL)

    def turn(self, caller: AnyCaller) -> AbstractAsyncContextManager[None]:
        """To be held from before the body is read.

        Raises:
            TooManyAtOnceError, OverloadedError: other batches take too long.
        """
        return self._bodies.turn(caller, PATIENCE_SECONDS)

    async def write(self, kind: Kind, bodies: Sequence[object], actor: str) -> dict[str, Any]:
        """The receipt: counts, and what became of each row.

        Raises:
            ApiError: nothing is stored; the rows may be sent again.
        """
        checked = await asyncio.to_thread(_check_all, kind, bodies)
        rejected = [
            (
                "; ".join(f"{error.field}: {error.message}" for error in found),
                quarantine_json(body.text if isinstance(body, NotJson) else body, KEPT_CHARACTERS),
            )
            for body, found in zip(bodies, checked, strict=True)
            if not isinstance(found, Person)
        ]
        good = [found for found in checked if isinstance(found, Person)]
        async with self._place():
            outcomes = await self._people.write(kind, good, rejected, actor)
        counts = {"created": 0, "updated": 0, "duplicate": 0, "rejected": 0}
        became = iter(outcomes)
        rows = []
        for body, found in zip(bodies, checked, strict=True):
            status = next(became) if isinstance(found, Person) else "rejected"
            errors = found if not isinstance(found, Person) else []
            if status == "erased":
                status, errors = "rejected", [FieldError(field="body", message=REASON)]
            counts[status] += 1
            row: dict[str, Any] = {kind.entity.key: _delivered_id(kind, body), "status": status}
            if errors:
                row["errors"] = [error.model_dump() for error in errors]
            rows.append(row)
        return {**counts, "rows": rows}

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            headers = {"Retry-After": f"{PATIENCE_SECONDS:.0f}"}
            raise OverloadedError("Other batches of people are being written.", headers=headers) from error
        try:
            yield
        finally:
            self._places.release()


def person_of(kind: Kind, post: StudentPost | TutorPost) -> Person:
    """What was sent of a person, without what was left out."""
    values = post.model_dump(exclude={kind.entity.key}, exclude_unset=True)
    return Person(getattr(post, kind.entity.key), values)


def _check_all(kind: Kind, bodies: Sequence[object]) -> list[Person | list[FieldError]]:
    return [_check(kind, body) for body in bodies]


def _check(kind: Kind, body: object) -> Person | list[FieldError]:
    if isinstance(body, NotJson):
        return [FieldError(field="body", message="is not JSON")]
    try:
        return person_of(kind, MODELS[kind].model_validate(body))
    except ValidationError as error:
        return errors_of(error)


def _delivered_id(kind: Kind, body: object) -> str | None:
    value = number_as_text(body.get(kind.entity.key)) if isinstance(body, dict) else None
    return value.strip()[:LONGEST_ID] if isinstance(value, str) else None
