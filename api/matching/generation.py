"""Predicting all pairs anew: a run of Dagster, asked for over its GraphQL API."""

from datetime import UTC, datetime
from typing import Any, Literal

import httpx2

from api.matching.schemas.predictions import GenerationAccepted, GenerationStatus
from api.problems import DagsterUnavailableError, NotFoundError
from api.tls import trusted

JOB = "predict"
# All partitions in one run; as orchestration.partitions has it.
TAGS = [
    {"key": "dagster/asset_partition_range_start", "value": "00"},
    {"key": "dagster/asset_partition_range_end", "value": "15"},
]
TIMEOUT_SECONDS = 10

FIND_JOB = """
query Jobs {
  repositoriesOrError {
    ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
    ... on PythonError { message }
  }
}
"""
LAUNCH = """
mutation Launch($selector: JobOrPipelineSelector!, $tags: [ExecutionTag!]!) {
  launchRun(executionParams: {selector: $selector, mode: "default", executionMetadata: {tags: $tags}}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
  }
}
"""
STATUS = """
query Status($runId: ID!) {
  runOrError(runId: $runId) {
    __typename
    ... on Run { runId jobName status startTime endTime }
  }
}
"""

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
STATUSES: dict[str, Status] = {
    "QUEUED": "queued",
    "NOT_STARTED": "queued",
    "MANAGED": "queued",
    "STARTING": "queued",
    "STARTED": "running",
    "SUSPENDED": "running",
    "CANCELING": "running",
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "CANCELED": "cancelled",
}


class Generation:
    """Starts and follows runs of the job that predicts all pairs.

    Raises (every method):
        DagsterUnavailableError: Dagster cannot be reached, or does not do it.
    """

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def start(self) -> GenerationAccepted:
        """Ask for a run; it is queued when this returns."""
        answer = await self._ask(LAUNCH, {"selector": await self._selector(), "tags": TAGS})
        launched = answer["launchRun"]
        if launched["__typename"] != "LaunchRunSuccess":
            raise DagsterUnavailableError(f"It refused the run ({launched['__typename']}).")
        run_id = launched["run"]["runId"]
        return GenerationAccepted(run_id=run_id, status_url=f"/api/matching/generate-all/{run_id}")

    async def status(self, run_id: str) -> GenerationStatus:
        """How far a run has come.

        Raises:
            NotFoundError: there is no such run of this job.
        """
        run = (await self._ask(STATUS, {"runId": run_id}))["runOrError"]
        if run["__typename"] != "Run" or run["jobName"] != JOB:
            raise NotFoundError("There is no such run.")
        return GenerationStatus(
            run_id=run["runId"],
            status=STATUSES[run["status"]],
            started_at=_instant(run["startTime"]),
            ended_at=_instant(run["endTime"]),
        )

    async def _selector(self) -> dict[str, str]:
        """Where the job is; the name of the code location is the operator's choice."""
        repositories = (await self._ask(FIND_JOB, {}))["repositoriesOrError"].get("nodes", [])
        for repository in repositories:
            if any(job["name"] == JOB for job in repository["jobs"]):
                return {
                    "repositoryLocationName": repository["location"]["name"],
                    "repositoryName": repository["name"],
                    "jobName": JOB,
                }
        raise DagsterUnavailableError(f"It has no job {JOB}; its code location may still be loading.")

    async def _ask(self, query: str, variables: dict[str, Any]) -> Any:
        try:
            response = await self._client.post("/graphql", json={"query": query, "variables": variables})
            response.raise_for_status()
            answer = response.json()
            data = answer["data"]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            raise DagsterUnavailableError("Please try again in a moment.", headers={"Retry-After": "5"}) from error
        if data is None or answer.get("errors"):
            raise DagsterUnavailableError("It does not understand the request; the log has more.")
        return data


def open_dagster(url: str, headers: dict[str, str]) -> httpx2.AsyncClient:
    """A client of the Dagster web server at this address; connects when it is first used."""
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, verify=trusted())


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
