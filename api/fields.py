"""Types of fields with texts in requests. Once checked they are trimmed, as those of landing files are."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from ingest.contract import LONGEST_ID, LONGEST_NAME, LONGEST_TEXT, NOT_BLANK, SPACE

# A landing file separates subjects by semicolons.
_SUBJECT = rf"^[^\x00;]*[^\x00;{SPACE}][^\x00;]*$"

Id = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=NOT_BLANK), AfterValidator(str.strip)
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
