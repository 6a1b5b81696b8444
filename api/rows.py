"""Bodies of many rows: a JSON array, or a JSON value per line (NDJSON)."""

from collections.abc import Callable, Sequence

from pydantic_core import from_json

from api.bodies import BOM, NDJSON, parse_json
from api.problems import BodyTooLargeError, FieldError, InvalidRequestError

MOST_ROWS = 10_000


class NotJson:
    """A line that is no JSON; `text` is its beginning."""

    def __init__(self, line: bytes) -> None:
        self.text = line[:2_000].decode("utf-8", "replace")


def parser_of(media_type: str) -> Callable[[bytes], list[object]]:
    """What reads a body of this type, one of JSON and NDJSON."""
    return parse_lines if media_type == NDJSON else parse_array


def parse_array(data: bytes) -> list[object]:
    """
    Raises:
        InvalidRequestError: it is not a JSON array.
        BodyTooLargeError: it has too many elements.
    """
    rows = parse_json(data)
    if not isinstance(rows, list):
        raise InvalidRequestError(
            "The body is not a JSON array.", errors=[FieldError(field="body", message="is not a JSON array")]
        )
    _require_few(rows)
    return rows


def parse_lines(data: bytes) -> list[object]:
    """NDJSON, blank lines left out; a line that is not JSON becomes a `NotJson`.

    Raises:
        BodyTooLargeError: there are too many lines.
    """
    if data.count(b"\n") > 2 * MOST_ROWS:
        raise _too_many()
    lines = [line for line in data.removeprefix(BOM).split(b"\n") if line.strip()]
    _require_few(lines)
    return [_parse_line(line) for line in lines]


def _parse_line(line: bytes) -> object:
    try:
        value: object = from_json(line, allow_inf_nan=False)
    except ValueError:
        return NotJson(line)
    return value


def _require_few(rows: Sequence[object]) -> None:
    if len(rows) > MOST_ROWS:
        raise _too_many()


def _too_many() -> BodyTooLargeError:
    return BodyTooLargeError(f"At most {MOST_ROWS:,} rows are taken.")
