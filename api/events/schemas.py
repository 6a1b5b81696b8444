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
        default="all", description="`mine`: among events about one tutor, only those about your own tutors. For people."
    )
    last_event_id: str | None = Field(
        default=None,
        max_length=LONGEST,
        description="Continue after this event, like the header `Last-Event-ID`, which takes precedence.",
    )
    seconds: float | None = Field(
        default=None,
        ge=0,
        le=86_400,
        description="End the stream after this time. 0: return the events since `last_event_id` without waiting.",
    )


class Told(BaseModel):
    """An event."""

    event_id: UUID = Field(description="The same event has the same id whenever it is sent.")
    created_at: AwareDatetime


class EventTutor(BaseModel):
    """The tutor of an event."""

    tutor_id: UUID
    external_id: str = Field(description="The id as delivered, or the UUID.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])


class PublicationDone(Told):
    """A run has finished: everything may have changed."""

    generation: int = Field(examples=[412])
    as_of: date
    published_at: AwareDatetime


class TutorsRefreshed(Told):
    """Posts changed the scores of these tutors."""

    tutor_ids: list[UUID] = Field(description="Empty if `many` is true.")
    many: bool = Field(description="More than 100 tutors changed: any tutor may be among them.")


class ConcernChanged(Told):
    """A concern about a tutor was raised or cleared."""

    tutor: EventTutor
    is_active: bool = Field(description="Whether the tutor is active. When a tutor leaves, all concerns clear.")
    concern: ConcernName
    previous_status: ConcernStatus = Field(
        description="The previous status; for a raised concern, that of the day before."
    )
    status: ConcernStatus
    probability: Fraction | None
    expected: float | None = Field(description="Estimated true rate, 0-1, or mean rating, 1-5.")
    low: float | None = Field(description="5% quantile of the estimate.")
    high: float | None = Field(description="95% quantile of the estimate.")
    threshold: float | None = Field(description="The limit: a rate, 0-1, or a mean rating, 1-5.")
    events: int | None = Field(description="Number of unwanted events; null for ratings.")
    trials: int | None = Field(description="Number of sessions, starts, first meetings or ratings.")
    raised_on: date | None = Field(description="First day of the present stretch; null if the concern is not raised.")


class SessionAlert(Told):
    """A session to which the tutor did not come."""

    tutor: EventTutor
    reason: Literal["tutor_no_show"]
    session_id: UUID
    session_external_id: str = Field(description="The id as delivered, or the UUID.", examples=["lesson-77"])
    scheduled_time: AwareDatetime
    subject: str | None


class CaseChanged(Told):
    """A case changed. Private notes send no event."""

    tutor: EventTutor
    case_id: int
    what: CaseEventKind
    version: int = Field(description="Version of the case after this event.")
    person_id: int | None = Field(description="The person; null for tutorq or a key.")


class Reset(BaseModel):
    """You missed events that are deleted by now: read everything again."""


class Heartbeat(BaseModel):
    """No news: sent at the beginning and every 15 seconds. Its `id:` is a position to continue from."""


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
        "description": "Server-sent events. `x-events` describes `data:` for each `event:`.",
        "x-events": {name: {"$ref": f"#/components/schemas/{model.__name__}"} for name, model in DATA.items()},
        **definitions,
    }
    return {"responses": {"200": {"content": {"text/event-stream": {"schema": schema}}}}}
