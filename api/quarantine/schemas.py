"""What the endpoints of the quarantine take and give."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.fields import Instant
from api.paging import PageFilters, PagePlace
from ingest.contract import LONGEST_ID, LONGEST_NAME, NOT_BLANK

EntityName = Literal["tutors", "students", "sessions", "reschedules"]
LONGEST_SEARCH = 200


CONTENT = "The row as delivered: JSON, or text if it could not be split into fields."
CONTENT_EXAMPLES = ['{"session_id": "S-1042", "rating": "9"}']


class RefusedFields(BaseModel):
    """What is known of a row in quarantine beside its content."""

    quarantine_id: int = Field(examples=[1042])
    entity: EntityName = Field(description="Kind of data in the row.")
    source: str = Field(description="Name of the file, or `api`.", examples=["sessions-2026-01.csv"])
    line: int = Field(
        description="Line in the file, counted from 1 with the header; row number in Parquet; 0 if posted.",
        examples=[17],
    )
    delivered_id: str | None = Field(
        description="Id of the tutor, student or session, as delivered; null if unreadable.", examples=["S-1042"]
    )
    is_remark: bool = Field(description="True for a stored row: only the cells named in `reason` were left empty.")
    reason: str = Field(
        description="Why it was refused, or which cells were left empty.", examples=["rating: 9 is not between 1 and 5"]
    )
    first_seen_at: AwareDatetime
    last_seen_at: AwareDatetime = Field(description="When the same row last arrived.")


class RefusedRow(RefusedFields):
    """One refused row, one that contradicts a stored version, or a remark on a stored one."""

    content: str = Field(description=CONTENT, examples=CONTENT_EXAMPLES)


class QuarantineConditions(BaseModel, extra="forbid"):
    """Which rows. All conditions hold together."""

    entity: EntityName | None = None
    source: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=NOT_BLANK)] | None = Field(
        default=None, description="Name of the file, spelt exactly; or `api`.", examples=["sessions-2026-01.csv"]
    )
    id: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=NOT_BLANK)] | None = Field(
        default=None, description="Id of a tutor, student or session, as delivered.", examples=["S-1042"]
    )
    search: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_SEARCH, pattern=NOT_BLANK)] | None = (
        Field(default=None, description="Part of the reason or the content, ignoring case.", examples=["rating"])
    )
    is_remark: bool | None = Field(
        default=None, description="True: only rows stored without some cells. False: only refused rows."
    )
    since: Instant | None = Field(default=None, description="Last seen at this time or later.")
    until: Instant | None = Field(default=None, description="Last seen before this time.")


class QuarantineFilters(QuarantineConditions, PageFilters):
    """Which rows, and which page of them."""


class QuarantineList(BaseModel):
    """A page of the quarantine, the rows seen last first."""

    data: list[RefusedRow]
    meta: PagePlace


class Dismissed(BaseModel):
    """Result of a dismissal."""

    dismissed: int = Field(description="Rows that were deleted.", examples=[12])
