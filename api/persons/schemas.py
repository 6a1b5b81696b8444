"""What the endpoints of one person's data give."""

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field


class PersonKind(StrEnum):
    """Kind of person, as in the path."""

    TUTORS = "tutors"
    STUDENTS = "students"


class ExportedTable(BaseModel):
    """One table's rows about the person."""

    table: str = Field(examples=["raw.sessions"])
    about: str = Field(description="Meaning of a row.")
    is_mention: bool = Field(
        description="Rows about others that name the person: each entry is a column and a number of rows."
    )
    rows: list[dict[str, Any]]


class PersonExport(BaseModel):
    """All stored data of one tutor or student, without secrets."""

    kind: str = Field(examples=["tutor"])
    person_id: str = Field(description="Their UUID.")
    tables: list[ExportedTable]


class Erasure(BaseModel):
    """One erasure; it does not name the person."""

    erasure_id: int
    kind: str = Field(examples=["student"])
    asked_by: str
    asked_at: AwareDatetime
    done_at: AwareDatetime | None = Field(description="Null while it waits for the erasing job.")
    counts: dict[str, int] = Field(description="Rows and files that were deleted or changed, by table or folder.")


class ErasureList(BaseModel):
    """The newest erasures."""

    data: list[Erasure]
