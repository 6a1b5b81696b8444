"""Types of fields. Texts in requests are trimmed once they are checked, as those of landing files are."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from ingest.contract import LONGEST_ID, LONGEST_NAME, LONGEST_TEXT, NOT_BLANK, SPACE
from ingest.ids import entity_uuid

# A landing file separates subjects by semicolons.
_SUBJECT = rf"^[^\x00;]*[^\x00;{SPACE}][^\x00;]*$"

Count = Annotated[int, Field(ge=0, examples=[24])]
Fraction = Annotated[float, Field(ge=0, le=1, examples=[0.12])]


def _known_as_an_id(text: str) -> str:
    # Marks of empty cells and rounded numbers are none: its ValueError is an error of the field.
    entity_uuid(text)
    return text.strip()


Id = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=NOT_BLANK), AfterValidator(_known_as_an_id)
]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=NOT_BLANK), AfterValidator(str.strip)
]
Subject = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=_SUBJECT), AfterValidator(str.strip)
]
LongText = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=NOT_BLANK), AfterValidator(str.strip)
]


def _no_number(value: object) -> object:
    # pydantic would take it for seconds since 1970.
    try:
        float(str(value))
    except ValueError:
        return value
    raise ValueError("Input should be a date and time with an offset")


Instant = Annotated[AwareDatetime, BeforeValidator(_no_number)]
