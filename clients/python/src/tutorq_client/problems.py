"""Errors of the API as exceptions."""

from __future__ import annotations

from typing import Any

import httpx


class ProblemError(Exception):
    """The API refused a request, or could not answer it (RFC 9457).

    `type` says which kind of problem it is, such as `urn:tutorq:problem:not-found`; `fields` has the messages for each
    wrong field of the request; `request_id` finds the request in the server's log. `members` is the whole body.
    """

    def __init__(self, status: int, members: dict[str, Any]) -> None:
        self.status = status
        self.members = members
        self.type = str(members.get("type", "about:blank"))
        self.title = str(members.get("title", f"HTTP status {status}"))
        self.detail = str(members.get("detail", ""))
        request_id = members.get("request_id")
        self.request_id: str | None = None if request_id is None else str(request_id)
        self.fields: dict[str, list[str]] = {}
        errors = members.get("errors")
        # A proxy may call something else so.
        for error in errors if isinstance(errors, list) else []:
            if isinstance(error, dict) and "field" in error and "message" in error:
                self.fields.setdefault(str(error["field"]), []).append(str(error["message"]))
        super().__init__(str(self))

    @classmethod
    def of(cls, response: httpx.Response) -> ProblemError:
        """The problem that a response tells, whoever wrote it: a proxy may answer with a page."""
        try:
            members = response.json()
        except ValueError:
            members = None
        if not isinstance(members, dict):
            members = {"detail": response.text[:200]}
        return cls(response.status_code, members)

    def __str__(self) -> str:
        fields = "; ".join(f"{field}: {', '.join(messages)}" for field, messages in self.fields.items())
        return f"{self.status} {self.title}" + "".join(f" ({text})" for text in (self.detail, fields) if text)
