"""Two people are erased from a marketplace with rows of all kinds: nothing is left, and they do not come back."""

import re
import time
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from typer.testing import CliRunner

from core import locks, people
from core.database import Database
from core.dbt_runner import build
from core.errors import TutorqError
from core.sealing import TEXTS, rotate, text_sealer
from ingest.ids import entity_uuid
from ingest.load import load_folder
from persons import erase as erasing
from persons.erase import Erased, erase
from persons.export import read_person, write_export
from persons.identity import identify, with_id
from persons.requests import waiting
from persons.sealed import SealedTexts
from persons.staff import read_staff
from tests.marts import Marts
from tests.persons.conftest import (
    EMAIL,
    LESSON,
    NAMES,
    NEEDLES,
    OTHER,
    PLANNED,
    SESSION,
    STUDENT,
    TUTOR,
    Marketplace,
    drop_files,
    fill,
    stored_of,
)  # fmt: skip

FOUND = re.compile("|".join(map(re.escape, NEEDLES)), re.IGNORECASE)
# Of others: what an erasure has to leave as it was.
OTHERS = {
    "tutors": "select count(*) from raw.tutors where external_id is distinct from 'T-Erase-77'",
    "students with a name": "select count(*) from raw.students where name is not null and name <> 'Quentin Vermeer'",
    "sessions of other tutors": "select count(*) from raw.sessions where tutor_id <> %s and status <> 'scheduled'",
    "cases of other tutors": "select count(*) from app.cases where tutor_id <> %s",
    "their events": "select count(*) from app.case_events join app.cases using (case_id) where tutor_id <> %s",
    "their excuses": "select count(*) from app.excuses join raw.sessions using (session_id) where tutor_id <> %s",
    "their moves": "select count(*) from raw.reschedules join raw.sessions using (session_id) where tutor_id <> %s",
    "entries of the audit log": (
        "select count(*) from app.audit_log where action not like 'data.%%' and action <> 'audit.redact'"
    ),
    "offers": "select count(*) from ml.offers",
    "mail to staff": "select count(*) from app.email_reports where recipient = 'ann@example.org'",
}


def score_all(marketplace: Marketplace, *, full_refresh: bool = False) -> None:
    """As a run does, without the tests of the data."""
    build(marketplace.settings, marketplace.database, exclude=["resource_type:test"], full_refresh=full_refresh)


def erase_both(marketplace: Marketplace) -> list[Erased]:
    done = []
    for called in (TUTOR, STUDENT):
        with marketplace.database.connect() as connection:
            identity = identify(connection, called)
        done.append(erase(marketplace.settings, marketplace.database, identity, actor="test"))
    return done


def of_others(marketplace: Marketplace) -> dict[str, object]:
    tutor = entity_uuid(TUTOR)
    return {name: marketplace.value(query, [tutor] * query.count("%s")) for name, query in OTHERS.items()}


def places_of(marketplace: Marketplace) -> list[str]:
    """Lines of the dump, and files, that name one of the two."""
    found = [f"dump: {line[:200]}" for line in marketplace.dump().splitlines() if FOUND.search(line)]
    return found + [f"{path}" for path, text in marketplace.files().items() if FOUND.search(text)]


@pytest.mark.slow
def test_nothing_is_left_and_nobody_comes_back(joined: Marketplace, tmp_path: Path) -> None:
    fill(joined)
    score_all(joined)
    assert len(places_of(joined)) > 60
    others = of_others(joined)
    scores_of_other = "select to_jsonb(s) - '{as_of}'::text[] from marts.tutor_scores as s where tutor_id = %s"
    score = joined.value(scores_of_other, [OTHER])

    done = erase_both(joined)

    assert [each.left for each in done] == [[], []]
    assert places_of(joined) == []
    assert of_others(joined) == others
    assert joined.value(scores_of_other, [OTHER]) == score
    # What the student's tutors did still counts for them, of a student whom nobody can name.
    assert joined.values("select count(*) from raw.sessions where session_id = %s", [entity_uuid(LESSON)]) == [1]
    [stub] = joined.values("select student_id from raw.students where is_stub and external_id is null and name is null")
    assert stub not in {entity_uuid(STUDENT), entity_uuid(TUTOR)}
    assert joined.value("select count(*) from raw.sessions where student_id = %s", [stub]) == 11
    # What was planned with the student is no fact, and would stay planned for ever.
    assert joined.value("select count(*) from raw.sessions where session_id = %s", [entity_uuid(PLANNED)]) == 0
    assert joined.values("select idempotency_key from app.idempotency_keys") == ["k2"]
    # The audit log tells that it was done, and not to whom.
    entries = joined.values("select subject_kind || ' ' || subject_id from app.audit_log where action = 'data.erase'")
    assert sorted(map(str, entries)) == ["student [erased]", "tutor [erased]"]

    before = raw_of(joined)
    assert {taken.report.outcome for taken in joined.land()} == {"loaded", "already_loaded"}
    assert raw_of(joined) == before
    assert places_of(joined) == []
    # Whether a file is known or not: this loads all of them.
    folder = tmp_path.parent / f"{tmp_path.name} sent again"
    folder.mkdir()
    drop_files(folder)
    summary = load_folder(joined.database, folder, timezone="UTC")
    assert (summary.errors, raw_of(joined)) == ([], before)
    # Both descriptions, 11 and 12 sessions of them and the one that could not be read, and both moves.
    assert sum(file.quarantined for file in summary.files) == 2 + 23 + 1 + 2
    refused = joined.values("select content from raw.quarantine where reason like '%%was erased%%'")
    assert set(refused) == {"{}"}
    assert places_of(joined) == []

    again = erase_again(joined)
    assert again.counts == {}
    assert places_of(joined) == []


def raw_of(marketplace: Marketplace) -> dict[str, list[str]]:
    with marketplace.database.connect() as connection:
        return {
            table: stored_of(connection, table)
            for table in ("raw.tutors", "raw.students", "raw.sessions", "raw.reschedules")
        }


def erase_again(marketplace: Marketplace) -> Erased:
    with marketplace.database.connect() as connection, pytest.raises(TutorqError, match="neither a tutor"):
        identify(connection, TUTOR)
    with marketplace.database.connect() as connection:
        identity = identify(connection, TUTOR, "tutor")
    return erase(marketplace.settings, marketplace.database, identity, actor="test")


@pytest.mark.soak
def test_the_next_build_is_as_one_from_scratch(joined: Marketplace) -> None:
    # A student who stays, and came to another tutor after this one.
    student = entity_uuid("St-Two-Tutors")
    with joined.database.connect() as connection:
        connection.execute("insert into raw.students (student_id, name) values (%s, 'Iris Two')", [student])
        connection.cursor().executemany(
            "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
            "values (gen_random_uuid(), %s, %s, %s, 'completed')",
            [(entity_uuid(TUTOR), student, "2025-10-01"), (OTHER, student, "2025-11-15")],
        )
    histories = (
        "select student_first_meetings::int from intermediate.int_pair_histories where student_id = %s "
        "order by booked_on"
    )
    score_all(joined)
    before = joined.values(histories, [student])
    erase_both(joined)
    score_all(joined)
    after = joined.values(histories, [student])
    with joined.database.connect() as connection:
        incremental = Marts(connection).content()
    score_all(joined, full_refresh=True)
    with joined.database.connect() as connection:
        assert Marts(connection).content() == incremental
    assert joined.values(histories, [student]) == after
    assert (before, after) == ([0, 1], [0])
    assert places_of(joined) == []


@pytest.mark.slow
def test_an_admin_lets_the_id_in_again(joined: Marketplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cli.app import app

    monkeypatch.chdir(tmp_path)
    for name, value in joined.settings.as_environment().items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke
    told = run(app, ["person", "export", TUTOR, "--out", str(tmp_path / "export")])
    assert told.exit_code == 0, told.output
    assert "Zenobia Quill" in (tmp_path / "export" / "index.html").read_text()
    told = run(app, ["person", "erase", TUTOR, "--yes"])
    assert told.exit_code == 0, told.output
    joined.land()
    assert joined.value("select count(*) from raw.tutors where name = 'Zenobia Quill'") == 0
    assert run(app, ["person", "allow", TUTOR]).exit_code == 0
    told = run(app, ["person", "allow", TUTOR])
    assert (told.exit_code, "no erased person has this id" in told.output) == (1, True)
    joined.land()
    assert joined.value("select count(*) from raw.tutors where name = 'Zenobia Quill'") == 1
    assert joined.value("select count(*) from raw.sessions where tutor_id = %s", [entity_uuid(TUTOR)]) == 11


@pytest.mark.slow
def test_export_has_everything(joined: Marketplace, tmp_path: Path) -> None:
    fill(joined)
    score_all(joined)
    with joined.database.connect() as connection:
        tutor = identify(connection, TUTOR)
        texts = SealedTexts(text_sealer(joined.settings))
        tables = list(read_person(connection, tutor, texts))
        names = {table.stem for table in tables}
        write_export(tmp_path / "out", tutor.called, tutor.kind, tables)
        student = {table.stem: table.rows for table in read_person(connection, identify(connection, STUDENT), texts)}
    wanted = {
        *("raw.tutors", "raw.sessions", "raw.reschedules", "raw.quarantine", "app.cases", "app.case_events"),
        *("app.appeals", "app.appeal_sessions", "app.page_links", "app.excuses", "app.email_reports", "app.audit_log"),
        *("ml.match_predictions", "ml.offers", "marts.tutor_scores", "marts.tutor_weekly", "marts.dim_tutors"),
    }
    assert sorted(wanted - names) == []
    assert {path.stem for path in (tmp_path / "out").iterdir()} == names | {"index"}
    assert not any("token_hash" in row for table in tables for row in table.rows)
    index = (tmp_path / "out" / "index.html").read_text()
    assert all(f'href="{table.stem}.' in index for table in tables)
    assert len(student["raw.sessions"]) == 12 + 5
    assert EMAIL not in str(student)
    assert NAMES[1] in str(student["raw.students"])


def test_writers_that_began_before_are_waited_for(joined: Marketplace) -> None:
    """A load that has not seen the erasure commits its rows before they are erased, and does not bring them back."""
    import threading

    from core.erased import erased_ids

    with joined.database.connect() as connection:
        identity = identify(connection, TUTOR)
    writer = psycopg.connect(joined.database.url)
    erased_ids(joined.settings, make=True).read_all(writer)
    steps: list[str] = []
    reached = threading.Event()

    def tell(step: str) -> None:
        steps.append(step)
        if step == "waiting for writers to end":
            reached.set()

    thread = threading.Thread(target=erase, args=(joined.settings, joined.database, identity), kwargs={"tell": tell})
    thread.start()
    assert reached.wait(30)
    writer.execute(
        "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
        "select gen_random_uuid(), %s, student_id, now(), 'scheduled' from raw.students limit 1",
        [identity.person_id],
    )
    writer.commit()
    writer.close()
    thread.join(60)
    assert steps[-1] == "looking for what is left"
    assert joined.value("select count(*) from raw.sessions where tutor_id = %s", [identity.person_id]) == 0
    assert SESSION not in joined.dump()


@pytest.mark.parametrize("lock", [(locks.PAIRS_BUCKET, 3), *((each,) for each in erasing.READERS)], ids=str)
def test_nobody_who_has_read_people_writes_them_down_after(joined: Marketplace, lock: tuple[int, ...]) -> None:
    """Parts of a prediction, predictions of tutors and sessions, mail: erasures wait for whoever is making them."""
    import threading

    with joined.database.connect() as connection:
        identity = identify(connection, TUTOR)
    maker = psycopg.connect(joined.database.url, autocommit=True)
    maker.execute(f"select pg_advisory_lock({', '.join(map(str, lock))})".encode())
    thread = threading.Thread(target=erase, args=(joined.settings, joined.database, identity))
    thread.start()
    waits = (
        "select count(*) from pg_locks where locktype = 'advisory' and not granted and %s in (classid, objid)"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    deadline = time.monotonic() + 30
    while joined.value(waits, [lock[0]]) == 0:
        assert time.monotonic() < deadline
    assert joined.value("select count(*) from raw.tutors where tutor_id = %s", [identity.person_id]) == 1
    maker.close()
    thread.join(60)
    assert joined.value("select count(*) from raw.tutors where tutor_id = %s", [identity.person_id]) == 0


def test_files_of_settings_stay_and_are_told(joined: Marketplace) -> None:
    path = joined.settings.home / "connectors.yml"
    path.write_text(f"people: {{only: {TUTOR}}}\n")
    [tutor, _] = erase_both(joined)
    assert tutor.left == [str(path)]
    assert path.read_text() == f"people: {{only: {TUTOR}}}\n"


@pytest.mark.slow
def test_sealed_texts_lose_the_names_and_are_exported(joined: Marketplace) -> None:
    fill(joined)
    score_all(joined)
    box = text_sealer(joined.settings)
    assert box is not None

    def opened() -> list[str]:
        with joined.database.connect() as connection:
            texts = [
                text
                for column in TEXTS
                for (text,) in connection.execute(
                    f"select {column.name} from {column.table} where {column.name} is not null".encode()
                )
            ]
        return [box.open_text(text) for text in texts]

    with joined.database.connect() as connection:
        assert rotate(connection, box, TEXTS).renewed > 2
        exported = {
            table.stem: table.rows
            for called in (TUTOR, STUDENT)
            for table in read_person(connection, identify(connection, called), SealedTexts(box))
        }
    assert "sealed:" not in str(exported)
    assert "content" in exported["raw.quarantine"][0]
    before = opened()
    assert len([text for text in before if FOUND.search(text)]) > 1

    assert [each.left for each in erase_both(joined)] == [[], []]
    after = opened()
    assert [text for text in after if FOUND.search(text)] == []
    # Of rows that are about others, the rest stays.
    assert any("[erased]" in text for text in after)
    assert {text for text in before if not FOUND.search(text)} <= set(after)


def test_only_texts_that_name_the_person_are_sealed_again(joined: Marketplace) -> None:
    fill(joined)
    settings = joined.settings.model_copy(update={"secrets_key": SecretStr(Fernet.generate_key().decode())})
    box = text_sealer(settings)
    assert box is not None
    report = "10000000-0000-0000-0000-000000000002"
    with joined.database.connect() as connection:
        sealed = box.seal_text(f"{NAMES[0]}: 9. All others: 7.")
        connection.execute("update app.email_reports set body_text = %s where report_id = %s", [sealed, report])
        connection.execute(
            "insert into app.email_reports (report_id, kind, unique_key, recipient, subject, payload, topic, body_text)"
            " values (gen_random_uuid(), 'daily_digest', 'of before', 'ann@example.org', 'x', '{}', 'x', 'as it was')"
        )
        identity = identify(connection, TUTOR)
    assert erase(settings, Database(settings), identity, actor="test").left == []
    stored = joined.value("select body_text from app.email_reports where report_id = %s", [report])
    assert str(stored).startswith("sealed:")
    assert box.open_text(str(stored)) == "[erased]: 9. All others: 7."
    assert joined.values("select body_text from app.email_reports where unique_key = 'of before'") == ["as it was"]


def test_all_bookings_of_a_moved_session_go(joined: Marketplace) -> None:
    with joined.database.connect() as connection:
        connection.cursor().executemany(
            "insert into raw.moved_bookings (connector, booking, earlier) values (%s, %s, %s)",
            [("c", "B-2", SESSION), ("c", "B-3", "B-2"), ("c", "B-4", "B-3"), ("c", "X-2", "X-1"), ("d", "B-5", "B-4")],
        )
    erase_both(joined)
    assert joined.values("select booking from raw.moved_bookings order by booking") == ["B-5", "X-2"]


def test_what_is_cut_off_waits_to_be_completed(joined: Marketplace, monkeypatch: pytest.MonkeyPatch) -> None:
    with joined.database.connect() as connection:
        identity = identify(connection, TUTOR)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "files_naming", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(joined.settings, joined.database, identity, actor="test")
    with joined.database.connect() as connection:
        [asked] = waiting(connection)
        assert asked == ("tutor", entity_uuid(TUTOR), TUTOR)
        again = with_id(connection, *asked)
    assert erase(joined.settings, joined.database, again, actor="test").left == []
    assert joined.values("select (person_id, delivered)::text from app.erasures where done_at is not null") == ["(,)"]
    assert joined.value("select count(*) from app.erasures") == 1


def test_an_external_database_needs_a_key_of_its_own(joined: Marketplace) -> None:
    """A file of one machine would be another key on the next."""
    settings = joined.settings.model_copy(update={"erasure_key": None})
    with joined.database.connect() as connection:
        identity = identify(connection, TUTOR)
    with pytest.raises(TutorqError, match="TUTORQ_ERASURE_KEY is not set"):
        erase(settings, Database(settings), identity, actor="test")
    assert not settings.erasure_key_file.exists()
    assert joined.value("select count(*) from raw.tutors where tutor_id = %s", [identity.person_id]) == 1


def test_dagsters_records_lose_them(joined: Marketplace) -> None:
    """They should name nobody; an error of a run may quote what it read."""
    joined.database.ensure_databases()
    with psycopg.connect(joined.database.dagster_url) as connection:
        connection.execute("create table event_logs (id bigint, event text)")
        quoted = f'{{"error": "duplicate key (tutor_id)=({entity_uuid(TUTOR)}) of {NAMES[0]}"}}'
        connection.cursor().executemany("insert into event_logs values (%s, %s)", [(1, quoted), (2, '{"rows": 3}')])
    [done, _] = erase_both(joined)
    assert done.counts["dagster.event_logs: rows changed"] == 1
    with psycopg.connect(joined.database.dagster_url) as connection:
        events = [event for (event,) in connection.execute("select event from event_logs order by id")]
    assert events == ['{"error": "duplicate key (tutor_id)=([erased]) of [erased]"}', '{"rows": 3}']


def test_another_key_stops_sources_and_doctor_says_so(joined: Marketplace) -> None:
    """Nobody could tell whom they name."""
    from cli.doctor import data

    erase_both(joined)
    other = joined.settings.model_copy(update={"erasure_key": SecretStr("another")})
    with joined.database.connect() as connection:
        assert data.erasures(connection, joined.settings).found == "0 waiting, 2 done"
        wrong = data.erasures(connection, other)
        connection.execute(
            "insert into app.erasures (kind, person_id, asked_by, asked_at) "
            "values ('tutor', gen_random_uuid(), 'Ann', now() - interval '2 hours')"
        )
        late = data.erasures(connection, joined.settings)
    assert (wrong.ok, "TUTORQ_ERASURE_KEY" in str(wrong.advice)) == (False, True)
    assert (late.ok, late.advice) == (False, "To erase them, run `tutorq person erase --requested`.")
    drop_files(joined.settings.landing)
    summary = load_folder(Database(other), joined.settings.landing, timezone="UTC")
    assert len(summary.errors) == 5
    assert all("TUTORQ_ERASURE_KEY" in error.message for error in summary.errors)


def test_export_of_somebody_who_logs_in(joined: Marketplace) -> None:
    fill(joined)
    with joined.database.connect() as connection:
        person = people.find(connection, "ANN@example.org")
        found = {table.table: table.rows for table in read_staff(connection, person)}
    assert [row["email"] for row in found["app.people"]] == ["ann@example.org"]
    assert [row["recipient"] for row in found["app.email_reports"]] == ["ann@example.org"]
    assert len(found["app.audit_log"]) == 4
    assert {"app.person_tutors", "app.case_events", "app.excuses"} <= found.keys()


def test_a_student_of_the_same_id_stays(joined: Marketplace) -> None:
    same = entity_uuid("17")
    with joined.database.connect() as connection:
        connection.execute(
            "insert into raw.tutors (tutor_id, external_id, name) values (%s, '17', 'Tom Smith')", [same]
        )
        connection.execute("insert into raw.students (student_id, external_id, name) values (%s, '17', 'Sue')", [same])
        connection.execute(
            "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
            "values (gen_random_uuid(), %s, %s, '2026-01-20', 'completed')",
            [OTHER, same],
        )
        with pytest.raises(TutorqError, match="both a tutor and a student"):
            identify(connection, "17")
        tutor = identify(connection, "17", "tutor")
    assert erase(joined.settings, joined.database, tutor, actor="test").left == []
    assert joined.values("select name from raw.students where student_id = %s", [same]) == ["Sue"]
    assert joined.value("select count(*) from raw.sessions where student_id = %s", [same]) == 1
    assert joined.values("select 1 from raw.tutors where tutor_id = %s", [same]) == []


def test_a_student_called_as_a_scored_tutor_is_erased_and_the_tutor_stays(joined: Marketplace) -> None:
    """Texts that say which tutor a row is of say nothing of the student."""
    with joined.database.connect() as connection:
        connection.execute(
            "insert into raw.students (student_id, external_id, name) values (%s, 'S-same', 'Sue Arden')", [OTHER]
        )
        connection.execute(
            "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
            "values (gen_random_uuid(), %s, %s, '2026-01-20', 'completed')",
            [entity_uuid(TUTOR), OTHER],
        )
    rows = "select row_json from intermediate.tutor_rows where tutor_id = %s"
    concerns = "select concern_key from marts.tutor_concerns where tutor_id = %s order by 1"
    before = [joined.values(query, [OTHER]) for query in (rows, concerns)]
    assert all(before)
    assert any(OTHER in str(row) for row in before[0])
    with joined.database.connect() as connection:
        student = with_id(connection, "student", UUID(OTHER))
    assert erase(joined.settings, joined.database, student, actor="test").left == []
    assert [joined.values(query, [OTHER]) for query in (rows, concerns)] == before
    assert joined.values("select name from raw.students where student_id = %s", [OTHER]) == []
