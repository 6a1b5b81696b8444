"""Whether data come in, are scored, predicted and mailed; each function looks at one thing."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from cli.doctor.finding import Finding, in_words, row
from cli.old_data import old_data
from core import scoring_settings
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import Settings
from core.words import plural

# Mail that is due waits for seconds, pairs of changed people for a minute.
MAIL_PATIENCE = timedelta(minutes=15)
PREDICTION_PATIENCE = timedelta(hours=1)
ERASURE_PATIENCE = timedelta(hours=1)
# Alerts (reports/troubles.py) of what is looked at here anyway, as it is now.
WITH_A_LINE = {"unprocessed_changes", "outbox_stuck", "model_lost", "no_new_data", "daemon_dead", "file_failed"}


def waiting(connection: psycopg.Connection, longest: timedelta) -> Finding:
    rows, age = row(connection, "select count(*), now() - min(changed_at) from raw.changes")
    ok = age is None or age < longest
    found = plural(rows, "row") + (f", the oldest for {in_words(age)}" if age is not None else "")
    advice = None if ok else "Is `tutorq up` (or the Dagster daemon) running? To score now, run `tutorq score`."
    return Finding("waiting to be scored", ok, found, advice)


def quarantine(connection: psycopg.Connection) -> Finding:
    rows, recent, remarks = row(
        connection,
        """
        select
            count(*) filter (where not is_remark),
            count(*) filter (where not is_remark and last_seen_at > now() - interval '1 day'),
            count(*) filter (where is_remark)
        from raw.quarantine
        """,
    )
    advice = "See raw.quarantine: each row has its file, line and reason." if recent or remarks else None
    found = (
        f"{plural(rows, 'row')}, {recent:,} seen within a day; {plural(remarks, 'remark')} on cells of accepted rows"
    )
    return Finding("quarantine", True, found, advice)


def erasures(connection: psycopg.Connection, settings: Settings) -> Finding:
    """People who are to be erased, and whether this process could tell who was."""
    from core.erased import NO_KEY, erased_ids

    asked, age, done = row(
        connection,
        """
        select
            count(*) filter (where done_at is null), now() - min(asked_at) filter (where done_at is null),
            count(done_at)
        from app.erasures
        """,
    )
    found = f"{asked:,} waiting, {done:,} done"
    hashes = [each for (each,) in connection.execute("select id_hash from raw.erased_ids where kind = 'key'")]
    if hashes and erased_ids(settings).check not in hashes:
        return Finding("erasures", False, found, f"{NO_KEY}. Put the key back from your copy.")
    if age is not None and age > ERASURE_PATIENCE:
        return Finding("erasures", False, found, "To erase them, run `tutorq person erase --requested`.")
    return Finding("erasures", True, found)


def unknown_ids(connection: psycopg.Connection) -> Finding:
    """Stubs that nothing has described for a day: two systems may write their ids differently."""
    from ingest import long_unknown  # takes a second to import

    counts = {table: long_unknown(connection, table) for table in ("tutors", "students")}
    found = ", ".join(f"{count:,} {table}" for table, count in counts.items() if count) or "none for a day"
    advice = None
    if any(counts.values()):
        advice = "Sessions name these ids, but no tutors or students file does. `tutorq load` lists similar ids."
    return Finding("unknown ids", True, found, advice)


def unnamed_no_shows(connection: psycopg.Connection, settings: Settings) -> Finding:
    """No-shows of which the source does not say whose they were."""
    count, no_shows = row(
        connection,
        """
        select count(*) filter (where initiator is null), count(*)
        from raw.sessions
        where status = 'no_show'
        """,
    )
    what = "no-shows without an initiator"
    if not count:
        return Finding(what, True, f"none of {no_shows:,}")
    if settings.unnamed_no_shows == "student":
        found = f"{count:,} of {no_shows:,}; the students' for models (TUTORQ_UNNAMED_NO_SHOWS), nobody's for scores"
        return Finding(what, True, found)
    found = f"{count:,} no-shows have no initiator and count against nobody (of {no_shows:,})"
    advice = "Have the export fill `initiator`; if most are the students', set TUTORQ_UNNAMED_NO_SHOWS=student."
    return Finding(what, True, found, advice)


def arrivals(connection: psycopg.Connection, settings: Settings) -> Finding:
    """Whether sessions keep coming, by file, post or otherwise; historic data need not."""
    what, hours = "newest sessions", settings.silent_data_hours
    if settings.as_of != "now" or not hours:
        return Finding(what, True, "historic data" if hours else "not checked: TUTORQ_SILENT_DATA_HOURS is 0")
    from reports.troubles import newest_arrival

    newest = newest_arrival(connection)
    if newest is None:
        return Finding(what, True, "none yet")
    age = datetime.now(UTC) - newest
    if age < timedelta(hours=hours):
        return Finding(what, True, f"arrived {in_words(age)} ago")
    advice = "Check the export and the posts of the marketplace. TUTORQ_SILENT_DATA_HOURS sets the limit."
    return Finding(what, False, f"arrived {in_words(age)} ago, by file or post", advice)


def troubles(connection: psycopg.Connection) -> list[Finding]:
    """What alerts have told and is not over, but for what has a line of its own; and files that failed, told or not."""
    from reports.conditions import lasting
    from reports.troubles import failed_files

    seen = {each.name: Finding("trouble", False, each.title, each.advice) for each in failed_files(connection)}
    for name, title, advice, since in lasting(connection):
        if name.partition(":")[0] not in WITH_A_LINE:
            seen.setdefault(name, Finding("trouble", False, f"{title}, since {since:%Y-%m-%d %H:%M} UTC", advice))
    return [*seen.values()] or [Finding("troubles", True, "none")]


def publication(database: Database) -> Finding:
    """Read as the owner of the marts: functions in views run with the rights of the reader."""
    none = Finding("publication", False, "none yet", "To publish scores, run `tutorq load DIR` and `tutorq score`.")
    try:
        with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
            if row(connection, "select to_regclass('marts.publication')") == (None,):
                return none
            generation, as_of, age = row(
                connection, "select generation, as_of::text, now() - published_at from marts.publication"
            )
    except psycopg.errors.InsufficientPrivilege as error:
        advice = "It is not tutorq_transform's: see `permission denied` in docs/operations.md."
        return Finding("publication", False, str(error.diag.message_primary), advice)
    ok = age < timedelta(hours=26)
    found = f"generation {generation}, as of {as_of}, {in_words(age)} old"
    return Finding("publication", ok, found, None if ok else "To publish again, run `tutorq score`.")


def day_of_scores(settings: Settings, database: Database) -> Finding:
    """Whether there are sessions near the day that scores are for."""
    warning = old_data(settings, database)
    return Finding("day of scores", warning is None, warning or f"{settings.as_of} (TUTORQ_AS_OF)")


def scoring(settings: Settings, database: Database) -> Finding:
    """Which settings the next run has, and whether the published scores have them.

    What was applied may contradict what was configured later.
    """
    with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        applied = scoring_settings.newest(connection)
        now = scoring_settings.in_force(settings, connection)
        try:
            published = scoring_settings.publication(connection)
        except psycopg.errors.InsufficientPrivilege:
            published = None  # which the line before says
    configured = scoring_settings.configured(settings)
    others = scoring_settings.differences(configured, now)
    found = "as configured"
    if applied and others:
        values = ", ".join(f"{name} {change['to']} instead of {change['from']}" for name, change in others.items())
        found = f"{values}; applied by {applied.applied_by} on {applied.applied_at:%Y-%m-%d}"
    if wrong := scoring_settings.problem(now):
        advice = "Set the variable again, or `tutorq settings apply NAME=VALUE`, or `tutorq settings revert`."
        return Finding("settings of scoring", False, f"{found}; {wrong}", advice)
    used = [*_used(published, settings, now)] if published else []
    if not used:
        return Finding("settings of scoring", True, found)
    advice = "The next run applies the settings. Check that Dagster is running, or run `tutorq score`."
    found = f"{found}; the published scores use other settings: {', '.join(used)}"
    return Finding("settings of scoring", False, found, advice)


def _used(published: Mapping[str, Any], settings: Settings, now: Mapping[str, Any]) -> Iterator[str]:
    """What the published scores were made with and the next ones would not be.

    `latest` names no day, and of a version before some settings may be missing.
    """
    known = {**published, **scoring_settings.of_publication(published)}
    for name, value in {**settings.dbt_vars(), **now}.items():
        if name != "as_of" and name in known and known[name] != value:
            yield f"{name} {known[name]}"
    as_of = date.fromisoformat(published["as_of"])
    if settings.as_of == "now":
        made_on = datetime.fromisoformat(published["published_at"]).astimezone(ZoneInfo(settings.timezone)).date()
        is_other = made_on - as_of > timedelta(days=1)  # a run may pass midnight
    else:
        is_other = settings.as_of not in ("latest", as_of.isoformat())
    if is_other:
        yield f"as_of {as_of}"


def models(connection: psycopg.Connection, settings: Settings, database: Database) -> Finding:
    """Whether the champions can be read, by this process at least."""
    kinds = [kind for (kind,) in connection.execute("select kind from ml.models where is_champion order by 1")]
    if not kinds:
        return Finding("models", True, "none promoted; the rules predict")
    from ml.registry import champion  # takes a second to import

    try:
        found = {kind: champion(settings, database, kind) for kind in kinds}
    except TutorqError as error:
        return Finding("models", False, str(error), "Check TUTORQ_MODEL_STORE, and the rights on it.")
    if lost := [each.lost for each in found.values() if each.lost]:
        advice = "Put the files back from a backup, or run `tutorq train` (or the job `train` in Dagster)."
        return Finding("models", False, "; ".join(lost), advice)
    return Finding("models", True, ", ".join(each.model.version for each in found.values()))


def predictions(connection: psycopg.Connection) -> Finding:
    people, age = row(connection, "select count(distinct person_id), now() - min(noted_at) from ml.touched_people")
    ok = age is None or age < PREDICTION_PATIENCE
    found = plural(people, "changed person", "changed people") + (
        f", the first {in_words(age)} ago" if age is not None else ""
    )
    advice = None if ok else "Check that the Dagster daemon is running, or run `tutorq predict`."
    return Finding("waiting to be predicted", ok, found, advice)


def kept_pairs(connection: psycopg.Connection) -> Finding:
    """Which pairs are stored: without this nobody sees that lists are not of everybody."""
    kept, pairs, possible = row(
        connection,
        "select array_agg(distinct kept order by kept), sum(pairs)::bigint, sum(possible)::bigint "
        "from ml.prediction_buckets",
    )
    what = "stored pairs"
    if not kept:
        return Finding(what, True, "none yet")
    found = f"{' and '.join(kept)}: {pairs:,} of {possible:,} possible pairs (TUTORQ_MATCH_PAIRS)"
    if len(kept) == 1:
        return Finding(what, True, found)
    return Finding(
        what,
        False,
        found,
        "A run was interrupted. The next run corrects this; to correct it now, run `tutorq predict`.",
    )


def mail(connection: psycopg.Connection) -> Finding:
    due, age, failed = row(
        connection,
        """
        select
            count(*) filter (where state = 'queued' and next_attempt_at <= now()),
            now() - min(next_attempt_at) filter (where state = 'queued'),
            count(*) filter (where state in ('failed', 'unknown') and created_at > now() - interval '7 days')
        from app.email_reports
        where channel = 'mail'
        """,
    )
    ok = not due or age < MAIL_PATIENCE
    found = f"{due:,} due" + (f", the first for {in_words(age)}" if due else "")
    if failed:
        found += f"; {failed:,} of the last 7 days failed or are unconfirmed"
    advice = None if ok else "Check that the Dagster daemon is running, or run `tutorq reports send`."
    return Finding("mail", ok, found, advice or ("See `error` in app.email_reports." if failed else None))
