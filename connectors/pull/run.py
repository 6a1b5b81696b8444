"""One run of a connector: what has come since the last one, as files in the landing directory."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
import psycopg
import yaml
from dlt.pipeline.exceptions import PipelineStepFailed
from requests import HTTPError, RequestException

from connectors.configuration import (
    AddressConnector,
    AnyConnector,
    BookingConnector,
    PostgresConnector,
    ZoomConnector,
    landing_of,
)
from connectors.pull import address, meetings, postgres, services
from connectors.pull.landing import destination, land
from connectors.pull.report import Report
from core.database import Database
from core.erased import erased_ids
from core.errors import TutorqError
from core.settings import Settings
from ingest.mapping import MAPPING_NAME


def pull(
    name: str, connector: AnyConnector, settings: Settings, database: Database, *, delete_anyway: bool = False
) -> Report:
    """Read what has come, and land it. Once more, nothing comes twice.

    Args:
        database: as those who load connect to it; deletions and moves of bookings are noted there.
        delete_anyway: also delete if so much is gone from the source that it may be at fault.

    Raises:
        TutorqError: it cannot be read, or another run of this connector is at it. Nothing is lost: the next run reads
            it again.
    """
    report = Report(name)
    folder = landing_of(settings, name)
    with _alone(settings.home / "connectors", name) as home:
        folder.mkdir(parents=True, exist_ok=True)
        _say_how_to_read(folder, connector)
        # What has landed is nobody's business here any more, and what runs is nobody's elsewhere.
        dlt.config["load.delete_completed_jobs"] = True
        dlt.config["runtime.dlthub_telemetry"] = False
        pipeline = dlt.pipeline(
            pipeline_name=name, pipelines_dir=str(home), destination=destination(folder, database, report)
        )
        try:
            # What an earlier run has read, and was killed before it had landed.
            if pipeline.has_pending_data:
                pipeline.run()
            pipeline.run(_resources(name, connector, settings, database, folder, report, delete_anyway))
        except PipelineStepFailed as error:
            raise TutorqError(f"{name}: {_words(error)}") from None
        _forget(home / name / "load" / "loaded")
    return report


def _forget(loaded: Path) -> None:
    """dlt keeps a folder for each run, for ever."""
    for package in loaded.iterdir() if loaded.is_dir() else ():
        shutil.rmtree(package)


def _resources(
    name: str,
    connector: AnyConnector,
    settings: Settings,
    database: Database,
    folder: Path,
    report: Report,
    delete_anyway: bool,
) -> list[Any]:
    match connector:
        case PostgresConnector():
            return postgres.resources(name, connector, report, delete_anyway=delete_anyway)
        case AddressConnector():
            return address.resources(name, connector, folder, report)
        case BookingConnector():
            return services.resources(name, connector, database, erased_ids(settings), report)
        case ZoomConnector():
            return meetings.resources(name, connector, database, report)


@contextmanager
def _alone(home: Path, name: str) -> Iterator[Path]:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / f"{name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TutorqError(f"another run of the connector {name} is in progress") from None
        yield home


def _say_how_to_read(folder: Path, connector: AnyConnector) -> None:
    """The mapping beside the files. Somebody's own, if the connector has none, stays."""
    path = folder / MAPPING_NAME
    wanted = {"timezone": connector.timezone, **connector.mapping}
    text = f"# Written by the connector, from connectors.yml.\n{yaml.safe_dump(wanted, allow_unicode=True)}"
    if not path.exists() or (connector.mapping and path.read_text() != text):
        land(folder, MAPPING_NAME, lambda part: part.write_text(text))


def _words(error: BaseException) -> str:
    """What went wrong, without the texts of libraries, which may quote rows or addresses."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = getattr(cause, "exception", None) or cause.__cause__ or cause.__context__
    for cause in causes:
        match cause:
            case TutorqError():
                return str(cause)
            case HTTPError() if cause.response is not None:
                advice = {401: "check the key", 403: "the key may not read this", 429: "try again later"}
                status = cause.response.status_code
                return f"the service answered {status}" + (f": {advice[status]}" if status in advice else "")
            case json.JSONDecodeError():
                return "the service answered what is not JSON"
            case RequestException():
                return f"the service cannot be reached ({type(cause).__name__})"
            case psycopg.ProgrammingError():
                return f"the source database refused it: {cause.diag.message_primary or type(cause).__name__}"
            case psycopg.Error():
                return f"the source database cannot be read ({type(cause).__name__})"
            case KeyError():
                return f"the service's answer has no {cause}"
    return f"failed unexpectedly ({type(causes[-1]).__name__}); this is a fault of tutorq: please report it"
