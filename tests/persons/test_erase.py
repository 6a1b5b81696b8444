"""Two people are erased from a marketplace with rows of all kinds: nothing is left, and they do not come back."""

import re
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from core import people
from core.database import Database
from core.dbt_runner import build
from core.errors import TutorqError
from core.sealing import text_sealer
from ingest.ids import entity_uuid
from ingest.load import load_folder
from persons.erase import Erased, erase
from persons.export import read_person, write_export
from persons.identity import identify
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
    build(joined.settings, joined.database)
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


@pytest.mark.slow
def test_the_next_build_is_as_one_from_scratch(joined: Marketplace) -> None:
    build(joined.settings, joined.database)
    erase_both(joined)
    build(joined.settings, joined.database)
    with joined.database.connect() as connection:
        incremental = Marts(connection).content()
    build(joined.settings, joined.database, full_refresh=True)
    with joined.database.connect() as connection:
        assert Marts(connection).content() == incremental
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
    assert (told.exit_code, "nobody of this id was erased" in told.output) == (1, True)
    joined.land()
    assert joined.value("select count(*) from raw.tutors where name = 'Zenobia Quill'") == 1
    assert joined.value("select count(*) from raw.sessions where tutor_id = %s", [entity_uuid(TUTOR)]) == 11


@pytest.mark.slow
def test_export_has_everything(joined: Marketplace, tmp_path: Path) -> None:
    fill(joined)
    build(joined.settings, joined.database)
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

    erasing = threading.Thread(target=erase, args=(joined.settings, joined.database, identity), kwargs={"tell": tell})
    erasing.start()
    assert reached.wait(30)
    writer.execute(
        "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
        "select gen_random_uuid(), %s, student_id, now(), 'scheduled' from raw.students limit 1",
        [identity.person_id],
    )
    writer.commit()
    writer.close()
    erasing.join(60)
    assert steps[-1] == "looking for what is left"
    assert joined.value("select count(*) from raw.sessions where tutor_id = %s", [identity.person_id]) == 0
    assert SESSION not in joined.dump()


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
    assert (late.ok, late.advice) == (False, "`tutorq person erase --requested` does them.")
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
