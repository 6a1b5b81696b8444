"""What Dagster's web server says of the code locations: which could be loaded, and why others could not."""

import json
from http.client import HTTPException
from typing import Any
from urllib.request import Request, urlopen

from cli.doctor.finding import Finding
from core.settings import Settings

TIMEOUT_SECONDS = 3
LONGEST = 300
QUERY = """
{
    workspaceOrError {
        ... on Workspace {
            locationEntries { name locationOrLoadError { ... on PythonError { message causes { message } } } }
        }
        ... on PythonError { message }
    }
}
"""


def code_locations(settings: Settings) -> Finding:
    """tutorq's own, and those of TUTORQ_CODE_LOCATIONS. Nobody to ask is no fault: Dagster may run elsewhere."""
    what = "code locations"
    try:
        workspace = _ask(settings)
        entries = workspace.get("locationEntries", [])
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return Finding(what, True, f"not asked: Dagster does not answer at {settings.dagster}")
    if "message" in workspace:
        return Finding(what, False, _line(workspace["message"]), "Mend workspace.yaml, then start Dagster again.")
    broken = {entry["name"]: reason for entry in entries if (reason := _reason(entry))}
    if not broken:
        return Finding(what, True, ", ".join(entry["name"] for entry in entries))
    found = "; ".join(f"{name} cannot be loaded: {reason}" for name, reason in broken.items())
    advice = "Mend it, then start it again, or reload it in Dagster (Deployment, Code locations). The others go on."
    return Finding(what, False, found, advice)


def _ask(settings: Settings) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **settings.dagster_headers}
    request = Request(f"{settings.dagster}/graphql", json.dumps({"query": QUERY}).encode(), headers)
    with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        workspace: dict[str, Any] = json.load(response)["data"]["workspaceOrError"]
    if not {"locationEntries", "message"} & set(workspace):
        raise LookupError
    return workspace


def _reason(entry: dict[str, Any]) -> str | None:
    """The first line of what was wrong in the first place; None of one that is loaded, or being loaded."""
    error = entry["locationOrLoadError"] or {}
    if "message" not in error:
        return None
    first = [error["message"], *(cause["message"] for cause in error["causes"])][-1]
    return _line(first)


def _line(message: object) -> str:
    return " ".join(str(message).split())[:LONGEST]
