"""How many answers a second the read API gives, beside a usual one (read_twin.py) and asyncpg alone (the limit)."""

import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from pathlib import Path
from statistics import median
from typing import Any

import uvloop
from rich.console import Console

from api.database import VERSION_QUERY, open_pool
from api.tutors import queries
from api.tutors.schemas import TutorFilters, TutorList, TutorResponse
from benchmarks import history
from benchmarks.harness import Report, Rounds, alternate, ratios, run_apart, settings_of, summary
from benchmarks.http_client import Request, Throughput, drive, pace, repeat
from benchmarks.ingest import free_port, server
from core import dbt_runner, keys
from core.database import Database
from core.roles import Role

LIST = "/api/tutors?limit=50"
# Of what a contestant gives at most: the load at which its answers are timed.
LOAD = 0.7
# Enough that a slow answer does not keep the next requests waiting here.
PACED_CONNECTIONS = 64


@dataclass(frozen=True)
class Size:
    """`seconds` of asking per contestant, question and round."""

    seconds: float
    connections: int = 8
    rounds: int = 3
    sessions: int = 100_000
    per_day: int = 1_000
    tutors: int = history.TUTORS


SMALL = Size(seconds=1.5)
FULL = Size(seconds=10, rounds=5)
TINY = replace(SMALL, seconds=0.1, connections=2, rounds=1, sessions=200, per_day=20, tutors=10)


@dataclass(frozen=True)
class Question:
    """One request, the header that only the API is sent, and the statement behind the answer."""

    name: str
    path: str
    status: int
    sql: str
    arguments: tuple[Any, ...]
    header: Mapping[str, str]


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Build marts of made-up tutors, ask all contestants, and print the table."""
    settings = settings_of(home, database_url=database.url, as_of=history.AS_OF.isoformat(), api_port=free_port())
    report = Report(
        title="read: answers of the API",
        ratio="API ÷ this",
        sizes=(
            f"{size.tutors:,} tutors; one process each, {size.connections} kept-alive connections, "
            f"{size.seconds:g} s a round, no compression; p99 at a constant rate, from when the request was due"
        ),
        packages=["fastapi", "uvicorn", "asyncpg", "sqlalchemy", "pydantic"],
    )
    with database.connect() as connection:
        history.write(connection, sessions=size.sessions, per_day=size.per_day, tutors=size.tutors)
        secret = str(keys.create(connection, "benchmark", Role.READ).secret)
        (tutor_id,) = connection.execute("select min(tutor_id::text) from raw.tutors").fetchone() or ("",)
    dbt_runner.build(settings, database)
    twin_port = free_port()
    with (
        server(settings, settings.api_port, "api"),
        server(settings, twin_port, "benchmarks.read_twin", database.url, str(twin_port)),
    ):
        key = {"X-API-Key": secret}
        questions = _questions(settings.api_port, key, str(tutor_id))
        _check_same_answers(settings.api_port, twin_port, key, questions)
        requests = [Request(question.path, {**key, **question.header}, question.status) for question in questions]
        plain = [Request(question.path, {}, 200) for question in questions]
        contestants: dict[str, Callable[[], Mapping[str, float]]] = {
            "api": lambda: _ask("api", questions, settings.api_port, requests, size),
            "twin": lambda: _ask("twin", questions, twin_port, plain, size),
            "limit": lambda: _figures(
                "limit", questions, run_apart(run_bare, database.url, questions, size.connections, size.seconds)
            ),
        }
        figures = alternate(contestants, size.rounds)
    for question in questions:
        _add_lines(report, question, figures)
    report.show(console, database)


def _add_lines(report: Report, question: Question, figures: Rounds) -> None:
    ours = figures[f"{question.name} api"]
    for who, what in (
        ("api", "API"),
        ("twin", "FastAPI, SQLAlchemy ORM, Pydantic" + (", which answers 200" if question.status == 304 else "")),
        ("limit", "its statement on asyncpg alone (limit)"),
    ):
        name = f"{question.name} {who}"
        note = ""
        if who != "limit":
            note = (
                f"p99 at {LOAD:.0%} load {summary(figures[f'{name} p99'])} ms; "
                f"client busy {median(figures[f'{name} busy']):.0%}"
            )
        compared = () if who == "api" else ratios(ours, figures[name])
        report.add(f"{question.name}: {what}", figures[name], "/s", compared, note)


def _questions(port: int, key: Mapping[str, str], tutor_id: str) -> list[Question]:
    page = queries.tutor_list(TutorFilters(limit=50))
    tutor = queries.tutor(tutor_id)
    one = f"/api/tutors/{tutor_id}"
    tags = []
    for path in (LIST, one):
        with _get(port, path, key) as answer:
            tags.append({"If-None-Match": str(answer.headers["ETag"])})
    return [
        Question("list of 50", LIST, 200, page.sql, page.arguments, {}),
        Question("one tutor", one, 200, tutor.sql, tutor.arguments, {}),
        Question("unchanged list", LIST, 304, VERSION_QUERY, (), tags[0]),
        Question("unchanged tutor", one, 304, VERSION_QUERY, (), tags[1]),
    ]


def _check_same_answers(api: int, twin: int, key: Mapping[str, str], questions: Sequence[Question]) -> None:
    """The twin must do the same work, or the comparison is worth nothing."""
    for question, schema in zip(questions[:2], (TutorList, TutorResponse), strict=True):
        answers = []
        for port in (api, twin):
            with _get(port, question.path, key) as answer:
                answers.append(schema.model_validate_json(answer.read()))
        assert answers[0] == answers[1], question.path


def _ask(
    who: str, questions: Sequence[Question], port: int, requests: Sequence[Request], size: Size
) -> Mapping[str, float]:
    """As much as it can give, and then how long answers take at a part of that."""
    throughputs = run_apart(drive, port, requests, size.connections, size.seconds)
    rates = [LOAD * throughput.per_second for throughput in throughputs]
    quantiles = run_apart(pace, port, requests, rates, PACED_CONNECTIONS, size.seconds)
    figures = dict(_figures(who, questions, throughputs))
    for question, p99 in zip(questions, quantiles, strict=True):
        figures[f"{question.name} {who} p99"] = p99
    return figures


def _figures(who: str, questions: Sequence[Question], throughputs: Sequence[Throughput]) -> Mapping[str, float]:
    figures = {}
    for question, throughput in zip(questions, throughputs, strict=True):
        name = f"{question.name} {who}"
        figures[name] = throughput.per_second
        figures[f"{name} busy"] = throughput.busy
    return figures


def run_bare(url: str, questions: Sequence[Question], connections: int, seconds: float) -> list[Throughput]:
    """Run the statement of one question after the other on a pool like the API's, and do nothing else."""

    async def main(question: Question) -> Throughput:
        async with open_pool(url, size=connections) as pool:

            async def ask() -> None:
                async with pool.acquire() as connection:
                    assert await connection.fetchrow(question.sql, *question.arguments)

            return await repeat([ask] * connections, seconds)

    return [uvloop.run(main(question)) for question in questions]


def _get(port: int, path: str, headers: Mapping[str, str]) -> HTTPResponse:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers))
    response: HTTPResponse = urllib.request.urlopen(request)
    return response
