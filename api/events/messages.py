"""Events as they go over the wire: one chunk per reading, which all streams that see the same share."""

import json
import random
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from fastapi.sse import format_sse_event

from api.events.cursor import Cursor
from api.events.queries import Event
from core.events import EventKind

RESET, HEARTBEAT = "reset", "heartbeat"
RETRY_MILLISECONDS = 3_000
COME_BACK_MILLISECONDS = 500
# As many as one transaction names (marts.tell_refreshed).
MOST_TUTORS = 100


def beginning() -> bytes:
    """How long a client waits before it comes back."""
    return format_sse_event(retry=RETRY_MILLISECONDS)


def come_back() -> bytes:
    """The stream ends, and its client is to open another one soon. Each is given another time, as there may be many."""
    return format_sse_event(retry=random.randint(COME_BACK_MILLISECONDS, RETRY_MILLISECONDS))


def heartbeat(cursor: Cursor) -> bytes:
    """Says that the stream lives, and moves the client's place on. An event and no comment, which browsers keep to
    themselves: a page that has heard nothing for a while has to know that it must ask."""
    return format_sse_event(event=HEARTBEAT, data_str="{}", id=str(cursor))


def chunk(events: Sequence[Event], cursor: Cursor, *, is_reset: bool, tutors: Collection[UUID] | None = None) -> bytes:
    """The events of one reading, those of `tutors` alone; empty if there is nothing to tell.

    Only the last one carries the cursor: who is cut off in between gets all of them again.
    """
    messages: list[tuple[str, dict[str, Any]]] = [(RESET, {})] if is_reset else []
    together = [event for event in events if event.kind is EventKind.TUTORS_REFRESHED]
    for event in events:
        if event.kind is not EventKind.TUTORS_REFRESHED:
            if tutors is None or event.tutor_id is None or event.tutor_id in tutors:
                messages.append((event.kind, event.content))
        elif event is together[-1] and (refreshed := _refreshed(together, tutors)):
            messages.append((event.kind, refreshed))
    last = len(messages) - 1
    return b"".join(
        format_sse_event(event=name, data_str=_encoded(content), id=str(cursor) if place == last else None)
        for place, (name, content) in enumerate(messages)
    )


def _refreshed(events: Sequence[Event], tutors: Collection[UUID] | None) -> dict[str, Any] | None:
    """All refreshed tutors of one reading in one event, so that a page looks once and not fifty times; None if they are
    none of `tutors`."""
    found = [event.content for event in events]
    ids = dict.fromkeys(tutor_id for content in found for tutor_id in content["tutor_ids"])
    many = any(content["many"] for content in found)
    if tutors is not None:
        ids = dict.fromkeys(tutor_id for tutor_id in ids if UUID(tutor_id) in tutors)
    if len(ids) > MOST_TUTORS:
        ids, many = {}, True
    if not ids and not many:
        return None
    newest = found[-1]
    return {
        "event_id": newest["event_id"],
        "created_at": newest["created_at"],
        "tutor_ids": [] if many else list(ids),
        "many": many,
    }


def _encoded(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
