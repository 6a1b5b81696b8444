"""What the session endpoints take and give. Bodies are checked by the rules of landing files (see rows.py)."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from api.fields import NO_NUL, NOT_BLANK
from api.problems import FieldError
from ingest.contract import LONGEST_ID, LONGEST_NAME, LONGEST_SESSION_MINUTES, LONGEST_TEXT
from ingest.rows import LARGEST_NUMBER

Status = Literal["scheduled", "completed", "rescheduled", "cancelled", "no_show"]
Initiator = Literal["tutor", "student", "platform"]
Id = Annotated[
    Annotated[str, Field(max_length=LONGEST_ID, pattern=NOT_BLANK)]
    | Annotated[int, Field(gt=-LARGEST_NUMBER, lt=LARGEST_NUMBER)],
    Field(description="A UUID, or any other id.", examples=["S-1042"]),
]
TIME_HELP = "ISO 8601; without an offset it is read in the reporting zone."
Time = Annotated[
    str,
    Field(
        json_schema_extra={"format": "date-time"},
        # As ingest.times has it: FIRST_YEAR to LAST_YEAR.
        pattern=r"^(19[7-9]\d|20\d\d|2100)-",
        examples=["2026-01-31T15:00:00Z"],
    ),
]
Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=NO_NUL)]


class RescheduleInfo(BaseModel):
    """Who moved or called off the session, and when."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "anyOf": [{"properties": {name: {"type": "null"}}} for name in ("requested_at", "cancelled_at")]
        },
    )

    initiator: Initiator
    original_time: Time | None = Field(default=None, description=f"When the session was to be. {TIME_HELP}")
    new_time: Time | None = Field(default=None, description=TIME_HELP)
    requested_at: Time | None = Field(default=None, description=f"When the change was asked for. {TIME_HELP}")
    cancelled_at: Time | None = Field(default=None, description="Another name of requested_at; send one of them.")
    reason_code: Name | None = Field(default=None, examples=["illness"])
    reason: Annotated[str, Field(max_length=LONGEST_TEXT, pattern=NO_NUL)] | None = None
    hours_before_session: float | None = Field(
        default=None,
        description="Gives requested_at if that is missing: hours before original_time, or before scheduled_time.",
        ge=-8_760,
        le=87_600,
        examples=[5.5],
    )


class SessionPost(BaseModel):
    """A session, whole: what is left out is unknown. The newest updated_at wins, whatever the order of arrival."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "anyOf": [
                {"properties": {"status": {"enum": [one for one in get_args(Status) if one != "rescheduled"]}}},
                {"properties": {"reschedule_info": {"type": "object"}}, "required": ["reschedule_info"]},
            ]
        },
    )

    session_id: Id
    tutor_id: Id = Field(description="An unknown tutor is added, without a name.", examples=["T-17"])
    student_id: Id = Field(description="An unknown student is added, without a name.", examples=["P-230"])
    scheduled_time: Time = Field(description=TIME_HELP)
    status: Status
    subject: Name | None = Field(default=None, examples=["maths"])
    booked_at: Time | None = None
    completed_time: Time | None = None
    duration_minutes: int | None = Field(default=None, ge=0, le=LONGEST_SESSION_MINUTES, examples=[60])
    rating: float | None = Field(default=None, ge=1, le=5, examples=[4.5])
    initiator: Initiator | None = Field(default=None, description="Who caused a cancellation or a no-show.")
    updated_at: Time | None = Field(default=None, description="Version of the content, as the sender states it.")
    reschedule_info: RescheduleInfo | None = Field(
        default=None, description="Required when status is rescheduled. Its version is updated_at of the session."
    )


class SessionReceipt(BaseModel):
    """The session is durably stored; its scores follow."""

    session_id: str = Field(description="As delivered.", examples=["S-1042"])
    status: Literal["queued"]
    duplicate: Literal[True] = Field(
        default=True, description="Only if it changed nothing: the same content is stored already, or a newer version."
    )
    conflict: Literal[True] = Field(
        default=True, description="Only if it contradicts a stored version that is as new; it is in quarantine."
    )


class BatchRow(BaseModel):
    """What became of one row."""

    session_id: str | None = Field(description="As delivered; null if it could not be read.", examples=["S-1042"])
    status: Literal["queued", "duplicate", "rejected"]
    conflict: Literal[True] = Field(
        default=True, description="Only if it contradicts a stored version that is as new; it is in quarantine."
    )
    errors: list[FieldError] = Field(default_factory=list, description="Only of a rejected row.")


class BatchReceipt(BaseModel):
    """What became of a batch. Queued and duplicate rows are durably stored, rejected ones are in quarantine."""

    queued: int = Field(description="Rows that changed something.", examples=[998])
    duplicate: int = Field(description="Rows that changed nothing.", examples=[1])
    rejected: int = Field(description="Rows that cannot be taken.", examples=[1])
    rows: list[BatchRow] = Field(description="In the order in which they were sent.")
