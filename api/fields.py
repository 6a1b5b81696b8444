"""What texts in requests must look like. Once checked they are trimmed, as those of landing files are."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from ingest.contract import LONGEST_ID, LONGEST_NAME, LONGEST_TEXT

# Postgres has no text with a NUL in it.
NO_NUL = r"^[^\x00]*$"
# Something beside space. The separators 1c to 1f are space to Python and to Arrow, and not to every reader of this.
_SPACE = r"\s\x1c-\x1f\x85"
NOT_BLANK = rf"^[^\x00]*[^\x00{_SPACE}][^\x00]*$"
# A landing file separates subjects by semicolons.
_SUBJECT = rf"^[^\x00;]*[^\x00;{_SPACE}][^\x00;]*$"

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
