"""Matching: the people, predictions for pairs, the run that predicts all of them, and assignments."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import bodies
from api.caching import NOT_MODIFIED, RevalidatedRoute, answer, tagged
from api.dependencies import (
    REQUIRE_READER,
    AuditWriterDep,
    CurrentCoach,
    CurrentIngester,
    CurrentLead,
    CurrentReader,
    MartsDep,
    NoQuery,
    TeamsDep,
)
from api.description import body_of
from api.exports import answer_list
from api.matching import queries
from api.matching.dependencies import AssignmentsDep, GenerationDep, PairsDep
from api.matching.pairs import pair
from api.matching.schemas.assignments import Assignment, AssignmentRequest
from api.matching.schemas.people import (
    MatchStudent,
    MatchStudentList,
    MatchStudentResponse,
    MatchTutor,
    MatchTutorList,
    MatchTutorResponse,
    StudentFilters,
    TutorMatchFilters,
)
from api.matching.schemas.predictions import (
    GenerationAccepted,
    GenerationStatus,
    Match,
    MatchesOfStudentFilters,
    MatchesOfTutorFilters,
    MatchList,
    PairPredictionResponse,
    PredictOptions,
)
from api.matching.version import MATCH_VERSION_QUERY
from api.paging import LINKED
from api.paths import NO_STUDENT, NO_TUTOR, IdPath, uuid_of
from api.people.batches import person_of
from api.people.commands import STUDENT, TUTOR
from api.people.endpoints import PeopleDep
from api.people.schemas import StudentPost, StudentPreferences, TutorPreferences
from api.problems import documented
from api.state import record_of
from core.audit import Action, Entry
from ingest.contract import LONGEST_ID, NO_NUL

# All texts at their longest, each character escaped (\ud83d\ude00).
MOST_BYTES = 256 << 10
# Ten thousand students, five thousand tutors and a hundred thousand forbidden pairs, by UUID.
MOST_ASSIGNMENT_BYTES = 16 << 20

router = APIRouter(
    prefix="/api/matching",
    tags=["matching"],
    responses=documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)

RunPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_ID,
        pattern=NO_NUL,
        description="`run_id` from the answer that started the run.",
    ),
]

ONE = NOT_MODIFIED | documented(404)
LIST = NOT_MODIFIED | LINKED


@router.get("/students", response_model=MatchStudentList, dependencies=[REQUIRE_READER], responses=LIST)
async def list_match_students(
    request: Request, caller: CurrentReader, filters: Annotated[StudentFilters, Query()]
) -> Response:
    """Students with their data for matching, sorted by name by default."""
    return await answer_list(request, caller, "students", MatchStudent, filters, queries.student_list)


@router.post(
    "/students",
    status_code=201,
    response_model=MatchStudentResponse,
    responses=documented(409, 413, 415),
    openapi_extra=body_of(StudentPost, bodies.JSON),
)
async def post_match_student(
    request: Request,
    caller: CurrentIngester,
    marts: MartsDep,
    people: PeopleDep,
    _: NoQuery,
) -> Response:
    """Add a student. The answer comes when the student can be matched."""
    post = await bodies.read_model(request, StudentPost, MOST_BYTES)
    # Without marts the row could be written, but not be shown.
    await marts.version(MATCH_VERSION_QUERY)
    student_id = await people.add(STUDENT, person_of(STUDENT, post), caller.actor)
    created = await marts.read(queries.student(student_id))
    return Response(created.body, 201, media_type=bodies.JSON)


@router.get("/students/{student_id}", response_model=MatchStudentResponse, dependencies=[REQUIRE_READER], responses=ONE)
async def get_match_student(request: Request, student_id: IdPath, _: NoQuery) -> Response:
    """One student with their data for matching."""
    return await answer(request, queries.student(uuid_of(student_id, NO_STUDENT)))


@router.patch(
    "/students/{student_id}",
    response_model=MatchStudentResponse,
    responses=documented(404, 413, 415),
    openapi_extra=body_of(StudentPreferences, bodies.JSON),
)
async def patch_match_student(
    request: Request,
    caller: CurrentLead,
    marts: MartsDep,
    people: PeopleDep,
    student_id: IdPath,
    _: NoQuery,
) -> Response:
    """Change a student's preferences. The answer comes when predictions are up to date."""
    patch = await bodies.read_model(request, StudentPreferences, MOST_BYTES)
    await marts.version(MATCH_VERSION_QUERY)
    key = uuid_of(student_id, NO_STUDENT)
    await people.change(STUDENT, key, patch.model_dump(exclude_unset=True), caller.actor)
    changed = await marts.read(queries.student(key))
    return Response(changed.body, media_type=bodies.JSON)


@router.get(
    "/students/{student_id}/matches", response_model=MatchList, dependencies=[REQUIRE_READER], responses=ONE | LINKED
)
async def list_matches_of_student(
    request: Request,
    caller: CurrentReader,
    student_id: IdPath,
    filters: Annotated[MatchesOfStudentFilters, Query()],
) -> Response:
    """Possible tutors for a student, lowest risk first by default. With `TUTORQ_MATCH_PAIRS=top`, the best tutors who
    have a free place and share a subject."""
    query = partial(queries.matches_of_student, uuid_of(student_id, NO_STUDENT))
    return await answer_list(request, caller, "matches", Match, filters, query)


@router.get("/tutors", response_model=MatchTutorList, dependencies=[REQUIRE_READER], responses=LIST)
async def list_match_tutors(
    request: Request, caller: CurrentReader, filters: Annotated[TutorMatchFilters, Query()]
) -> Response:
    """Tutors with their data for matching, sorted by name by default."""
    return await answer_list(request, caller, "match-tutors", MatchTutor, filters, queries.tutor_list)


@router.get("/tutors/{tutor_id}", response_model=MatchTutorResponse, dependencies=[REQUIRE_READER], responses=ONE)
async def get_match_tutor(request: Request, tutor_id: IdPath, _: NoQuery) -> Response:
    """One tutor with their data for matching."""
    return await answer(request, queries.tutor(uuid_of(tutor_id, NO_TUTOR)))


@router.patch(
    "/tutors/{tutor_id}",
    response_model=MatchTutorResponse,
    responses=documented(404, 413, 415),
    openapi_extra=body_of(TutorPreferences, bodies.JSON),
)
async def patch_match_tutor(
    request: Request,
    caller: CurrentCoach,
    teams: TeamsDep,
    marts: MartsDep,
    people: PeopleDep,
    tutor_id: IdPath,
    _: NoQuery,
) -> Response:
    """Change a tutor's preferences. The answer comes when predictions are up to date. Coaches: only for their own
    tutors."""
    patch = await bodies.read_model(request, TutorPreferences, MOST_BYTES)
    key = uuid_of(tutor_id, NO_TUTOR)
    await teams.check_tutor(caller, key)
    await marts.version(MATCH_VERSION_QUERY)
    await people.change(TUTOR, key, patch.model_dump(exclude_unset=True), caller.actor)
    changed = await marts.read(queries.tutor(key))
    return Response(changed.body, media_type=bodies.JSON)


@router.get(
    "/tutors/{tutor_id}/matches", response_model=MatchList, dependencies=[REQUIRE_READER], responses=ONE | LINKED
)
async def list_matches_of_tutor(
    request: Request,
    caller: CurrentReader,
    tutor_id: IdPath,
    filters: Annotated[MatchesOfTutorFilters, Query()],
) -> Response:
    """Possible students for a tutor, lowest risk first by default. With `TUTORQ_MATCH_PAIRS=top`, students who have the
    tutor among their best."""
    query = partial(queries.matches_of_tutor, uuid_of(tutor_id, NO_TUTOR))
    return await answer_list(request, caller, "matches", Match, filters, query)


@router.get(
    "/predict/{student_id}/{tutor_id}",
    response_model=PairPredictionResponse,
    responses=ONE | documented(429),
)
async def get_prediction(
    request: Request,
    caller: CurrentReader,
    pairs: PairsDep,
    student_id: IdPath,
    tutor_id: IdPath,
    options: Annotated[PredictOptions, Query()],
) -> Response:
    """The probability that a pair ends after its first session, and on request the reasons. For a pair that is not
    stored, it is computed at once, with the same result."""
    student, tutor = uuid_of(student_id, NO_STUDENT), uuid_of(tutor_id, NO_TUTOR)
    async with pairs.turn(caller):
        predicted = await pairs.predict(student, tutor, with_explanation=options.explain, subject=options.subject)
    if predicted.version is None:
        return Response(predicted.body, headers={"Cache-Control": "no-store"}, media_type=bodies.JSON)
    return tagged(request, pair(student, tutor), predicted.version, predicted.body)


@router.post("/generate-all", status_code=202, response_model=GenerationAccepted)
async def post_generation(
    caller: CurrentLead, generation: GenerationDep, audit: AuditWriterDep, _: NoQuery
) -> GenerationAccepted:
    """Start a new prediction of all pairs, or of the best of each student, in the background."""
    accepted = await generation.start()
    await audit.record(Entry(caller.actor, Action.PREDICTIONS_START, "run", accepted.run_id))
    return accepted


@router.get(
    "/generate-all/{run_id}", response_model=GenerationStatus, dependencies=[REQUIRE_READER], responses=documented(404)
)
async def generation_status(generation: GenerationDep, run_id: RunPath, _: NoQuery) -> GenerationStatus:
    """The progress of a prediction run."""
    return await generation.status(run_id)


@router.post(
    "/assignments",
    response_model=Assignment,
    responses=documented(413, 415, 429),
    openapi_extra=body_of(AssignmentRequest, bodies.JSON),
)
async def post_assignment(
    request: Request, caller: CurrentReader, assignments: AssignmentsDep, audit: AuditWriterDep, _: NoQuery
) -> Assignment:
    """A plan of tutors for students that minimises the expected number who leave. The plan is not stored; the audit log
    records the request."""
    async with assignments.turn(caller):
        wanted = await bodies.read_model(request, AssignmentRequest, MOST_ASSIGNMENT_BYTES)
        plan = await assignments.assign(wanted, caller)
    details = {"assigned": len(plan.pairs), "unassigned": len(plan.unassigned), "model": plan.model_version}
    await audit.record(
        Entry(caller.actor, Action.ASSIGNMENT_COMPUTE, "plan", record_of(request.scope).request_id, details)
    )
    return plan
