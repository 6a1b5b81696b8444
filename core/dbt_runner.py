"""Running dbt: where its project is, what it is told, and how it connects."""

import gc
import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from core import locks, made_before, scoring_settings
from core.database import Database
from core.dbt_internals import (
    CompiledNode,
    ParsedProject,
    compiled_nodes,
    cut_connections,
    event_as_dict,
    failures,
    leaving,
    made,
    read_parsed,
    runner,
)
from core.errors import TutorqError
from core.settings import IS_CHECKOUT, PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg


DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"
# Made by `make install` (`dbt parse`), carried by the image and the wheel: no import ever runs dbt.
MANIFEST_PATH = DBT_PROJECT_DIR / "target" / "manifest.json"
# The same, as dbt keeps it for itself.
PARSED_PATH = DBT_PROJECT_DIR / "target" / "partial_parse.msgpack"
MADE_OF = ("models", "functions", "macros", "materializations")
SOURCES = (*MADE_OF, "tests", "analyses")


def dbt_target_path(settings: Settings, scoring_days: Sequence[date] = ()) -> Path:
    """Where dbt writes its artifacts; one place for all runs, because only one runs at a time.

    Days of history have one of their own: other vars make dbt parse anew.
    """
    return settings.home / "dbt" / "history" if scoring_days else settings.home / "dbt"


def models_version() -> str:
    """Of all that makes the marts: another one after an upgrade, or an edit.

    Read anew each time, as dbt does: a process that remembered what it found before an edit would take for outdated
    whatever a younger one publishes, and ask for runs without end.
    """
    folders = [DBT_PROJECT_DIR / name for name in MADE_OF]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".sql", ".yml")]
    digest = hashlib.sha256()
    for path in sorted([DBT_PROJECT_DIR / "dbt_project.yml", *files]):
        digest.update(f"{path.relative_to(DBT_PROJECT_DIR).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def one_dbt_at_a_time(database: Database) -> Iterator[None]:
    """Wait for any other dbt on this database that goes through here, the command line's as well as Dagster's."""
    with database.connect(autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [locks.DBT])
        yield


def parse() -> None:
    """Make dbt's manifest anew, as `make install` does; connects to nothing.

    Raises:
        TutorqError: the project cannot be parsed; says why.
    """
    where = [f"--project-dir={DBT_PROJECT_DIR}", f"--profiles-dir={DBT_PROJECT_DIR}"]
    # A partial parse of a data test that has changed loses its description.
    outcome = runner().invoke(["--quiet", "--log-level-file=none", "parse", "--no-partial-parse", *where])
    if not outcome.success:
        raise TutorqError(f"dbt cannot parse the project: {_one_line(outcome.exception or outcome.result)}")


def build(
    settings: Settings,
    database: Database,
    *,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    new_reference: bool = False,
    scoring_days: Sequence[date] = (),
) -> None:
    """`dbt build` in this process; `scoring_days` are recorded in score_history besides the as-of day.

    With `new_reference` scores are measured against today's tutors from now on, if there are enough of them.

    Without unit tests (of formulas) and thorough tests (left to the nightly run).

    Raises:
        TutorqError: names what failed.
    """
    # What went wrong is in the error, and all of it in dbt's log file.
    arguments = ["--log-level=none", "--exclude", "tag:thorough", *exclude]
    if select:
        arguments += ["--select", *select]
    if full_refresh:
        arguments.append("--full-refresh")
    with one_dbt_at_a_time(database):
        variables = _variables(settings, database, scoring_days, new_reference)
        told = [*_build_arguments(settings, variables, scoring_days), *arguments]
        with making_what_is_new(database, variables, everything=full_refresh) as done:
            done(_invoke(database, told))


def build_events(
    settings: Settings, database: Database, selection: Sequence[str], *, scoring_days: Sequence[date] = ()
) -> Iterator[dict[str, Any]]:
    """`dbt build` of a selection in a thread of this process; yields dbt's events as its JSON log has them,
    without those for debugging, of which each statement has several.

    In this process, because a dbt of its own takes 3 s and more to start, longer than a small run takes. Whoever
    closes the iterator before its end stops dbt: its connections are cut, and the models at work roll back.

    Raises:
        TutorqError: names what failed; after the last event.
    """
    told: SimpleQueue[EventMsg | None] = SimpleQueue()
    with one_dbt_at_a_time(database), ThreadPoolExecutor(max_workers=1) as pool:
        variables = _variables(settings, database, scoring_days)
        arguments = [*_build_arguments(settings, variables, scoring_days), *selection]
        everything = "--full-refresh" in selection

        def run() -> None:
            with making_what_is_new(database, variables, everything=everything) as done:
                done(_invoke(database, arguments, told.put))

        dbt = pool.submit(run)
        dbt.add_done_callback(lambda _: told.put(None))
        try:
            while (event := told.get()) is not None:
                yield event_as_dict(event)
        finally:
            # Again and again: those that depend on none go on. Between two models only idle connections are cut, and
            # the next models connect anew.
            while not dbt.done():
                cut_connections()
                wait([dbt], timeout=0.5)
        dbt.result()


@contextmanager
def making_what_is_new(
    database: Database, variables: Mapping[str, object], *, everything: bool = False
) -> Iterator[Callable[[object], None]]:
    """Meanwhile, dbt leaves views and functions that an earlier run made of the same code and vars, unless `everything`
    is to be made. What it gives is to be called with dbt's result when all has gone well."""
    version = made_before.version_of(variables)
    with database.connect(autocommit=True) as connection:
        found = made_before.find(connection, version)

    def done(result: object) -> None:
        with database.connect(autocommit=True) as connection:
            made_before.note(connection, version, sorted({*made(result)} - left))

    left = frozenset() if everything else found
    with leaving(left):
        yield done


def _variables(
    settings: Settings, database: Database, scoring_days: Sequence[date] = (), new_reference: bool = False
) -> dict[str, Any]:
    """The vars of a build; with the settings that were applied last."""
    with database.connect() as connection:
        variables = {**scoring_settings.dbt_vars(settings, connection), "models_version": models_version()}
    if new_reference:
        variables["new_reference"] = True
    if scoring_days:
        variables["scoring_days"] = [day.isoformat() for day in scoring_days]
    return variables


def _build_arguments(settings: Settings, variables: Mapping[str, Any], scoring_days: Sequence[date] = ()) -> list[str]:
    """What every build is told."""
    return [
        "build",
        "--log-level-file=info",  # not every statement
        "--exclude-resource-type=unit_test",
        f"--project-dir={DBT_PROJECT_DIR}",
        f"--profiles-dir={DBT_PROJECT_DIR}",
        f"--target-path={dbt_target_path(settings, scoring_days)}",
        f"--log-path={dbt_target_path(settings)}",
        f"--vars={json.dumps(variables)}",
    ]


def compile_nodes(
    settings: Settings, database: Database, variables: Mapping[str, object], names: Sequence[str]
) -> list[CompiledNode]:
    """The SQL of models, functions and analyses as it is with these vars; makes nothing.

    Raises:
        TutorqError: names what failed.
    """
    arguments = [
        "--log-level=none",
        "compile",
        "--log-level-file=none",
        "--indirect-selection=empty",  # no tests
        "--no-introspect",
        "--no-populate-cache",
        "--threads=1",
        f"--project-dir={DBT_PROJECT_DIR}",
        f"--profiles-dir={DBT_PROJECT_DIR}",
        f"--target-path={settings.home / 'dbt' / 'what-if'}",
        f"--vars={json.dumps(dict(variables))}",
        "--select",
        *names,
    ]
    return compiled_nodes(_invoke(database, arguments))


def _invoke(database: Database, arguments: list[str], on_event: "Callable[[EventMsg], None] | None" = None) -> object:
    """Run dbt; its profile reads the connection from libpq's own variables. Returns dbt's results.

    Raises:
        TutorqError: names what failed.
    """
    # Its files about each run have megabytes, and nobody reads them.
    os.environ.setdefault("DBT_WRITE_JSON", "false")
    os.environ.update(database.libpq_environment())
    with _silent_logging():
        with _collecting_nothing():
            dbt = runner(parsed_by_install(), on_event)
        outcome = dbt.invoke(arguments)
    if outcome.exception is not None:
        raise TutorqError(f"dbt failed: {_one_line(outcome.exception)}")
    if not outcome.success:
        failed = failures(outcome.result)
        if not failed:
            raise TutorqError("dbt failed, and does not say why; see dbt.log in $TUTORQ_HOME/dbt")
        (name, message), *others = failed
        more = f"; and {', '.join(other for other, _ in others)}" if others else ""
        raise TutorqError(f"dbt failed: {name}: {_one_line(message)}{more}")
    return outcome.result


def parsed_by_install() -> "ParsedProject | None":
    """What `make install` parsed, unless a file is newer; of a wheel, whose files nobody edits, always.

    None leaves the parsing to dbt, which takes 8 s: in each new home, and again with each change of what it is told,
    although nothing that is parsed depends on that.
    """
    if not PARSED_PATH.exists():
        return None
    parsed_at = PARSED_PATH.stat().st_mtime
    folders = [DBT_PROJECT_DIR / name for name in SOURCES]
    # Folders, too: a file that is gone has changed only the time of its folder.
    sources = [*folders, *(path for folder in folders for path in folder.rglob("*")), *DBT_PROJECT_DIR.glob("*.yml")]
    if IS_CHECKOUT and any(path.stat().st_mtime > parsed_at for path in sources):
        return None
    return read_parsed(PARSED_PATH, os.environ["PGDATABASE"])


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Of what dbt imports and reads at its first command hardly anything becomes garbage: to look through it again and
    again took a fifth of that time, and some of each command after it. What is garbage all the same stays: of 270,000
    objects 1,400, which a look takes 0.15 s to find."""
    if "dbt.cli.main" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _silent_logging() -> Iterator[None]:
    """A log file that cannot be written, as on a full disk, is no reason for a page of traces from each line of it."""
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = before


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
