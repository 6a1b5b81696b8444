"""Forms as browsers send them, within limits."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import Request

from api import bodies
from api.problems import InvalidRequestError

FORM = "application/x-www-form-urlencoded"
# A text of 1,000 characters, each written as up to twelve bytes, and 50 sessions.
MOST_BYTES = 32 << 10
MOST_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Form:
    """What was filled in; line breaks as `\\n`."""

    values: dict[str, list[str]]

    def one(self, name: str) -> str:
        """The first value, or an empty text."""
        return self.values.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        """Every value, as of several ticked boxes."""
        return self.values.get(name, [])


async def read_form(request: Request) -> Form:
    """
    Raises:
        InvalidRequestError: it is not UTF-8, or has too many fields.
        BodyTooLargeError, UnsupportedMediaTypeError: as `bodies.read`.
    """
    bodies.media_type(request, (FORM,))
    data = await bodies.read(request, MOST_BYTES)
    try:
        values = parse_qs(
            data.decode(), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError as error:  # also of bytes that are no UTF-8
        raise InvalidRequestError("The form cannot be read. Go back, and send it again.") from error
    # Browsers count a line break as one character, and send two.
    return Form({name: [each.replace("\r\n", "\n") for each in given] for name, given in values.items()})
