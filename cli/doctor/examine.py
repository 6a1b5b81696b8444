"""`tutorq doctor`: look at an installation and say what is wrong and what to do."""

import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
from pydantic import ValidationError

from cli.doctor import data, server
from cli.doctor.access import audit_log, encryption, keys_in_use, undeclared_proxies
from cli.doctor.code_locations import code_locations
from cli.doctor.files import open_files
from cli.doctor.finding import Finding
from cli.doctor.logins import logins
from cli.doctor.objects import objects
from core.database import Database
from core.dbt_runner import MANIFEST_PATH
from core.errors import TutorqError
from core.settings import Settings, misspelt, settings_problem


def examine() -> list[Finding]:
    """Run every check that can run. A check that needs something broken is left out."""
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = Finding("settings", False, settings_problem(error), "Correct the value in the environment or in .env.")
        return [wrong, *_misspelt()]
    database = Database(settings)
    findings = [
        *_misspelt(),
        Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0], None),
        _home(settings, database),
        _files(settings),
        _manifest(),
        _retention(settings),
    ]
    if database.is_embedded and database.embedded.is_new:
        advice = "To start an installation there, run `tutorq up` or `tutorq load DIR`."
        return [*findings, Finding("database", False, f"nothing is installed in {settings.home}", advice)]
    try:
        with database.connect() as connection:
            findings.append(server.version(connection, database))
            findings.append(server.schema(connection, database))
            if findings[-1].ok:
                findings.append(objects(connection))
                # What follows reads tables, which a database that was restored in part may not have.
                with suppress(psycopg.errors.UndefinedTable):
                    roles = logins(connection, database)
                    findings.append(roles)
                    findings += [keys_in_use(connection), undeclared_proxies(connection, settings)]
                    findings += [audit_log(connection), encryption(connection, settings)]
                    findings.append(data.waiting(connection, timedelta(minutes=settings.unprocessed_minutes)))
                    findings.append(data.quarantine(connection))
                    findings.append(data.erasures(connection, settings))
                    findings.append(data.unknown_ids(connection))
                    findings.append(data.unnamed_no_shows(connection, settings))
                    findings.append(data.arrivals(connection, settings))
                    if roles.ok:
                        findings.append(data.publication(database))
                        findings.append(data.scoring(settings, database))
                        findings.append(data.day_of_scores(settings, database))
                    findings.append(data.models(connection, settings, database))
                    findings += [
                        check(connection)
                        for check in (
                            data.predictions,
                            data.kept_pairs,
                            data.mail,
                            server.size,
                            server.tables,
                            server.dead_rows,
                        )
                    ]
                    if database.is_embedded:
                        findings.append(server.disk(connection, settings))
                    findings += data.troubles(connection)
        findings += server.dagster(database, timedelta(seconds=settings.daemon_silent_seconds))
        findings.append(code_locations(settings))
    except TutorqError as error:
        advice = "Check TUTORQ_DATABASE_URL." if not database.is_embedded else "See its log under TUTORQ_HOME."
        findings.append(Finding("database", False, str(error), advice))
    return findings


def _misspelt() -> list[Finding]:
    advice = "Correct the name in the environment or in .env; until then it sets nothing."
    return [Finding("settings", False, sentence, advice) for sentence in misspelt()]


def _home(settings: Settings, database: Database) -> Finding:
    """Whether this user can write to the folders in which tutorq creates files. With an external database, such as in
    containers, the home folder itself may be read-only."""
    home = settings.home
    folders = [home]
    if not database.is_embedded:
        folders = [settings.landing, home / "dagster"]
        if "://" not in settings.model_store_uri:
            folders.append(Path(settings.model_store_uri).expanduser())
    closed = [str(folder) for folder in folders if not _is_writable(folder)]
    advice = f"This user cannot write to {', '.join(closed)}; choose another folder, or grant write access."
    return Finding("TUTORQ_HOME", not closed, str(home), advice if closed else None)


def _is_writable(folder: Path) -> bool:
    """Whether this user can write to the folder, or create it if it is missing."""
    return os.access(next(path for path in (folder, *folder.parents) if path.exists()), os.W_OK)


def _files(settings: Settings) -> Finding:
    found, commands = open_files(settings)
    advice = f"These files hold names and keys. Close them: {commands}" if commands else None
    return Finding("files", commands is None, found, advice)


def _retention(settings: Settings) -> Finding:
    """How long data is kept. This check never fails: only the operator knows which values are right."""
    from persons.retention import rules

    kept = "; ".join(f"{rule.name.replace('_', ' ')} {rule.kept}" for rule in rules(settings))
    return Finding("kept for", True, kept, None)


def _manifest() -> Finding:
    ok = MANIFEST_PATH.exists()
    found = "present" if ok else "missing"
    return Finding(
        "dbt manifest",
        ok,
        found,
        None if ok else "Dagster needs the manifest. Run `make install` or reinstall tutorq.",
    )
