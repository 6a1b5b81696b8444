"""What the stream of events takes, and the events in it."""

from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field
from pydantic.json_schema import models_json_schema

from api.cases.schemas import CaseEventKind
from api.events.cursor import LONGEST
from api.fields import Fraction
from core.concerns import ConcernName, ConcernStatus
from core.events import EventKind


class EventFilters(BaseModel, extra="forbid"):
    """Which events, from where on, and for how long."""

    scope: Literal["all", "mine"] = Field(
        default="all", description="`mine`: of events about one tutor, those about your own tutors only. For people."
    )
    last_event_id: str | None = Field(
        default=None,
        max_length=LONGEST,
        description="Go on behind this event, as by the header `Last-Event-ID`, which wins.",
    )
    seconds: float | None = Field(
        default=None,
        ge=0,
        le=86_400,
        description="End the stream after this time. 0: what there is since `last_event_id`, and no waiting.",
    )


class Told(BaseModel):
    """An event."""

    event_id: UUID = Field(description="The same event has the same id whenever it is sent.")
    created_at: AwareDatetime


class EventTutor(BaseModel):
    """The tutor whom an event is about."""

    tutor_id: UUID
    external_id: str = Field(description="The id as delivered, or the UUID.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])


class PublicationDone(Told):
    """A run has finished: everything may have changed."""

    generation: int = Field(examples=[412])
    as_of: date
    published_at: AwareDatetime


class TutorsRefreshed(Told):
    """Scores of these tutors follow what was posted."""

    tutor_ids: list[UUID] = Field(description="Empty if they are many.")
    many: bool = Field(description="Whether they are more than 100: any tutor may have changed.")


class ConcernChanged(Told):
    """A concern about a tutor is raised, or has cleared."""

    tutor: EventTutor
    is_active: bool = Field(description="Whether the tutor is active: of one who has left, all concerns clear.")
    concern: ConcernName
    previous_status: ConcernStatus = Field(description="The status before: of what is raised, that of the day before.")
    status: ConcernStatus
    probability: Fraction | None
    expected: float | None = Field(description="Estimated true rate, 0-1, or mean rating, 1-5.")
    low: float | None = Field(description="5% quantile of the estimate.")
    high: float | None = Field(description="95% quantile of the estimate.")
    threshold: float | None = Field(description="The rate, 0-1, or the mean rating, 1-5, at which there is a concern.")
    events: int | None = Field(description="What should not happen; null for ratings.")
    trials: int | None = Field(description="Of how many sessions, starts, first meetings or ratings.")
    raised_on: date | None = Field(description="First day of the stretch on which it is raised; null if it is not.")


class SessionAlert(Told):
    """A session to which the tutor did not come."""

    tutor: EventTutor
    reason: Literal["tutor_no_show"]
    session_id: UUID
    session_external_id: str = Field(description="The id as delivered, or the UUID.", examples=["lesson-77"])
    scheduled_time: AwareDatetime
    subject: str | None


class CaseChanged(Told):
    """Something happened to a case. Private notes are not told."""

    tutor: EventTutor
    case_id: int
    what: CaseEventKind
    version: int = Field(description="The version of the case after it.")
    person_id: int | None = Field(description="Who did it; null if it was tutorq, or a key.")


class Reset(BaseModel):
    """Something has been missed that is not there any more: read everything again."""


class Heartbeat(BaseModel):
    """Nothing has happened: at the beginning, and every 15 seconds. Its `id:` is a place to go on from."""


# What follows `event:`, and what its `data:` is.
DATA: dict[str, type[BaseModel]] = {
    EventKind.PUBLICATION_DONE: PublicationDone,
    EventKind.TUTORS_REFRESHED: TutorsRefreshed,
    EventKind.CONCERN_RAISED: ConcernChanged,
    EventKind.CONCERN_CLEARED: ConcernChanged,
    EventKind.SESSION_ALERT: SessionAlert,
    EventKind.CASE_CHANGED: CaseChanged,
    "reset": Reset,
    "heartbeat": Heartbeat,
}


def described() -> dict[str, Any]:
    """`openapi_extra=` of the stream: FastAPI takes what is no JSON for a text."""
    models = {model.__name__: model for model in DATA.values()}
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models.values()], ref_template="#/components/schemas/{model}"
    )
    schema = {
        "description": "Server-sent events. `x-events` says what `data:` is, by `event:`.",
        "x-events": {name: {"$ref": f"#/components/schemas/{model.__name__}"} for name, model in DATA.items()},
        **definitions,
    }
    return {"responses": {"200": {"content": {"text/event-stream": {"schema": schema}}}}}
