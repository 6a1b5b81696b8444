"""Tutors and students of the marketplace: added, changed and read as they are stored, one by one or many at once.

What matching knows of them is at `/api/matching`, and scores are at `/api/tutors`.
"""

import asyncio
import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api import bodies, rows
from api.auth import Require
from api.caching import NOT_MODIFIED, answer_by_content
from api.callers import AnyCaller
from api.dependencies import CurrentIngester, NoQuery
from api.description import body_of
from api.exports import answer_pages
from api.paging import LINKED
from api.paths import NO_STUDENT, NO_TUTOR, IdPath, uuid_of
from api.people import batches
from api.people.batches import PeopleBatches, person_of
from api.people.commands import STUDENT, TUTOR, Kind, People
from api.people.queries import PeopleRecords
from api.people.schemas import (
    StudentBatchReceipt,
    StudentPatch,
    StudentPost,
    StudentRecord,
    StudentRecordFilters,
    StudentRecordList,
    StudentRecordResponse,
    TutorBatchReceipt,
    TutorPatch,
    TutorPost,
    TutorRecordResponse,
)
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from core.roles import Role

# All texts at their longest, each character escaped (\ud83d\ude00).
MOST_BYTES = 256 << 10

router = APIRouter(prefix="/api", responses=documented(400, 401, 403, 503), route_class=ApiRoute)

PeopleDep = Annotated[People, from_state("people")]
PeopleRecordsDep = Annotated[PeopleRecords, from_state("people_records")]
PeopleBatchesDep = Annotated[PeopleBatches, from_state("people_batches")]
# Who sends tutors reads them back. Of students there may be more than readers need, their goals in words.
CurrentReaderOrIngester = Annotated[AnyCaller, Depends(Require(Role.READ, Role.INGEST))]

ONE = NOT_MODIFIED | documented(404)
CHANGED = documented(404, 413, 415)
ADDED = documented(409, 413, 415)
MANY = documented(413, 415, 429)


@router.post(
    "/tutors",
    tags=["tutors"],
    status_code=201,
    response_model=TutorRecordResponse,
    responses=ADDED,
    openapi_extra=body_of(TutorPost, bodies.JSON),
)
async def post_tutor(
    request: Request,
    caller: CurrentIngester,
    people: PeopleDep,
    records: PeopleRecordsDep,
    _: NoQuery,
) -> Response:
    """Add a tutor, or describe one known only from sessions. 409 if the tutor exists already."""
    post = await bodies.read_model(request, TutorPost, MOST_BYTES)
    key = await people.add(TUTOR, person_of(TUTOR, post), caller.actor)
    return Response(await records.tutor(key), 201, media_type=bodies.JSON)


@router.post(
    "/tutors/batch",
    tags=["tutors"],
    response_model=TutorBatchReceipt,
    responses=MANY,
    openapi_extra=body_of(TutorPost, bodies.NDJSON, many=bodies.JSON),
)
async def post_tutor_batch(request: Request, caller: CurrentIngester, people: PeopleBatchesDep, _: NoQuery) -> Response:
    """Add or change up to 10,000 tutors, like a landing file, as a JSON array or as NDJSON of at most 20 MiB. The
    status is 200 even if rows are rejected: each row has its own result, in the order sent."""
    return await _batch(request, caller, people, TUTOR)


@router.get("/tutors/{tutor_id}/profile", tags=["tutors"], response_model=TutorRecordResponse, responses=ONE)
async def get_tutor_profile(
    request: Request, _: CurrentReaderOrIngester, records: PeopleRecordsDep, tutor_id: IdPath, __: NoQuery
) -> Response:
    """One tutor as stored, even before the first score."""
    return answer_by_content(request, await records.tutor(uuid_of(tutor_id, NO_TUTOR)))


@router.patch(
    "/tutors/{tutor_id}",
    tags=["tutors"],
    response_model=TutorRecordResponse,
    responses=CHANGED,
    openapi_extra=body_of(TutorPatch, bodies.JSON),
)
async def patch_tutor(
    request: Request,
    caller: CurrentIngester,
    people: PeopleDep,
    records: PeopleRecordsDep,
    tutor_id: IdPath,
    _: NoQuery,
) -> Response:
    """Change a tutor. With `is_active` false the tutor has left, and lists, cases and matching show it at once."""
    patch = await bodies.read_model(request, TutorPatch, MOST_BYTES)
    key = uuid_of(tutor_id, NO_TUTOR)
    await people.change(TUTOR, key, patch.model_dump(exclude_unset=True), caller.actor)
    return Response(await records.tutor(key), media_type=bodies.JSON)


@router.get("/students", tags=["students"], response_model=StudentRecordList, responses=NOT_MODIFIED | LINKED)
async def list_students(
    request: Request,
    caller: CurrentIngester,
    records: PeopleRecordsDep,
    filters: Annotated[StudentRecordFilters, Query()],
) -> Response:
    """Students as stored, by name. For callers who may change students; others use `/api/matching/students`."""
    return await answer_pages(request, caller, "students", StudentRecord, filters, records.students)


@router.post(
    "/students",
    tags=["students"],
    status_code=201,
    response_model=StudentRecordResponse,
    responses=ADDED,
    openapi_extra=body_of(StudentPost, bodies.JSON),
)
async def post_student(
    request: Request,
    caller: CurrentIngester,
    people: PeopleDep,
    records: PeopleRecordsDep,
    _: NoQuery,
) -> Response:
    """Add a student, or describe one known only from sessions. 409 if the student exists already."""
    post = await bodies.read_model(request, StudentPost, MOST_BYTES)
    key = await people.add(STUDENT, person_of(STUDENT, post), caller.actor)
    return Response(await records.student(key), 201, media_type=bodies.JSON)


@router.post(
    "/students/batch",
    tags=["students"],
    response_model=StudentBatchReceipt,
    responses=MANY,
    openapi_extra=body_of(StudentPost, bodies.NDJSON, many=bodies.JSON),
)
async def post_student_batch(
    request: Request, caller: CurrentIngester, people: PeopleBatchesDep, _: NoQuery
) -> Response:
    """Add or change up to 10,000 students, as `POST /api/tutors/batch` does."""
    return await _batch(request, caller, people, STUDENT)


@router.get("/students/{student_id}", tags=["students"], response_model=StudentRecordResponse, responses=ONE)
async def get_student(
    request: Request, _: CurrentIngester, records: PeopleRecordsDep, student_id: IdPath, __: NoQuery
) -> Response:
    """One student as stored. For callers who may change students."""
    return answer_by_content(request, await records.student(uuid_of(student_id, NO_STUDENT)))


@router.patch(
    "/students/{student_id}",
    tags=["students"],
    response_model=StudentRecordResponse,
    responses=CHANGED,
    openapi_extra=body_of(StudentPatch, bodies.JSON),
)
async def patch_student(
    request: Request,
    caller: CurrentIngester,
    people: PeopleDep,
    records: PeopleRecordsDep,
    student_id: IdPath,
    _: NoQuery,
) -> Response:
    """Change a student."""
    patch = await bodies.read_model(request, StudentPatch, MOST_BYTES)
    key = uuid_of(student_id, NO_STUDENT)
    await people.change(STUDENT, key, patch.model_dump(exclude_unset=True), caller.actor)
    return Response(await records.student(key), media_type=bodies.JSON)


async def _batch(request: Request, caller: AnyCaller, people: PeopleBatches, kind: Kind) -> Response:
    media_type = bodies.media_type(request, (bodies.JSON, bodies.NDJSON))
    async with people.turn(caller):
        data = await bodies.read(request, batches.MOST_BYTES)
        posted = await asyncio.to_thread(rows.parser_of(media_type), data)
        del data
        receipt = await people.write(kind, posted, caller.actor)
    return Response(json.dumps(receipt, ensure_ascii=False), media_type=bodies.JSON)
