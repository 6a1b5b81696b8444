"""One person's data, for admins: what is stored of a tutor or a student, and their erasure."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.dependencies import CurrentAdmin, NoQuery
from api.paths import IdPath, uuid_of
from api.persons.commands import NOBODY, Persons
from api.persons.schemas import Erasure, ErasureList, PersonExport, PersonKind
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from persons.registry import Kind

router = APIRouter(
    prefix="/api/persons", tags=["persons"], responses=documented(400, 401, 403, 503), route_class=ApiRoute
)

PersonsDep = Annotated[Persons, from_state("persons")]
KINDS: dict[PersonKind, Kind] = {PersonKind.TUTORS: "tutor", PersonKind.STUDENTS: "student"}


@router.get("/erasures", response_model=ErasureList)
async def list_erasures(caller: CurrentAdmin, persons: PersonsDep, _: NoQuery) -> ErasureList:  # noqa: ARG001
    """The newest 500 erasures, including waiting ones."""
    return await persons.erasures()


@router.get("/{kind}/{person_id}", response_model=PersonExport, responses=documented(404))
async def get_person_data(
    caller: CurrentAdmin, persons: PersonsDep, kind: PersonKind, person_id: IdPath, _: NoQuery
) -> PersonExport:
    """All stored data of a tutor or a student, table by table. The audit log records this request."""
    return await persons.export(KINDS[kind], uuid_of(person_id, NOBODY), person_id, caller.actor)


@router.delete("/{kind}/{person_id}", status_code=202, response_model=Erasure, responses=documented(404))
async def delete_person_data(
    caller: CurrentAdmin, persons: PersonsDep, kind: PersonKind, person_id: IdPath, _: NoQuery
) -> Erasure:
    """Request the erasure of a tutor or a student from everything. A job erases, usually within a minute; repeating the
    request changes nothing. Only a backup can undo it."""
    return await persons.request(KINDS[kind], uuid_of(person_id, NOBODY), person_id, caller.actor)


@router.post("/{kind}/{person_id}/allow", status_code=204, response_class=Response, responses=documented(404))
async def post_person_allowed(
    caller: CurrentAdmin, persons: PersonsDep, kind: PersonKind, person_id: IdPath, _: NoQuery
) -> None:
    """Accept rows that name an erased tutor or student again. Erased data come back only if their sources are loaded
    again."""
    await persons.allow(KINDS[kind], uuid_of(person_id, NOBODY), caller.actor)
