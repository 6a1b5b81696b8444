"""What is old is deleted: files, rows in quarantine, texts, deliveries with their attempts, words of appeals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import Settings
from persons.retention import forget_files, forget_old, rules

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Postgres

SETTINGS = Settings(delivery_days=90, appeal_text_days=365, offer_kept_days=730, mail_text_days=0, audit_days=1000)


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> Database:
    return postgres.new_database(tmp_path)


def run(database: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        cursor = connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []


def forget(database: Database) -> dict[str, int]:
    return forget_old(SETTINGS, database.as_role(DatabaseRole.TRANSFORM))


def message(database: Database, channel: str, kind: str, days: int | None) -> None:
    run(
        database,
        "insert into app.email_reports (channel, kind, topic, unique_key, recipient, subject, payload, state, "
        "settled_at) values (%s, %s, %s, %s, 'x', 'x', '{}', %s, now() - make_interval(days => %s))",
        channel, kind, f"{channel}:{days}", f"{channel}:{days}", "queued" if days is None else "sent", days,
    )  # fmt: skip


def test_old_deliveries_go_and_mail_stays(database: Database) -> None:
    for days in (None, 89, 91):
        message(database, "webhook", "session.alert", days)
        message(database, "chat", "notification", days)
        message(database, "mail", "daily_digest", days)
    run(database, "insert into app.webhook_attempts (report_id, outcome, seconds) "
        "select report_id, 'accepted', 1 from app.email_reports where channel = 'webhook'")  # fmt: skip
    assert forget(database)["deliveries"] == 2
    assert forget(database)["deliveries"] == 0
    left = run(database, "select topic from app.email_reports order by topic")
    assert [topic for (topic,) in left] == [
        "chat:89", "chat:None", "mail:89", "mail:91", "mail:None", "webhook:89", "webhook:None",
    ]  # fmt: skip
    assert run(database, "select count(*) from app.webhook_attempts") == [(2,)]


def test_old_offers_go(database: Database) -> None:
    run(database, "insert into ml.slates (slate_id, student_id, source, policy, model_version, exploration_share, "
        "lottery, made_by, offered_at) select gen_random_uuid(), gen_random_uuid(), 'offer', 'model', 'm', 0, '{}', "
        "'test', now() - make_interval(days => days) from unnest(array[0, 729, 731]) as days")  # fmt: skip
    run(database, "insert into ml.offers (slate_id, place, tutor_id, churn_probability) "
        "select slate_id, 1, gen_random_uuid(), 0.2 from ml.slates")  # fmt: skip
    assert forget(database)["slates"] == 1
    assert forget(database)["slates"] == 0
    assert run(database, "select count(*), min(now() - offered_at) < interval '730 days' from ml.slates "
        "inner join ml.offers using (slate_id)") == [(2, True)]  # fmt: skip


def appeal(database: Database, state: str, days: int) -> int:
    [(number,)] = run(
        database,
        "insert into app.appeals (tutor_id, reason, text, created_by, due_on, state, settled_at, decided_by, "
        "decider_id, answer) select gen_random_uuid(), 'illness', 'I have asthma', 'tutor', current_date, state, "
        "case when state <> 'open' then now() - make_interval(days => %s) end, "
        "case when state = 'granted' then 'Lea (person 7)' end, case when state = 'granted' then 7 end, "
        "case when state = 'granted' then 'Your asthma is an excuse' end "
        "from (select %s::text as state) as wanted returning appeal_id",
        days, state,
    )  # fmt: skip
    payload = json.dumps({"appeal": {"text": "I have asthma", "answer": "Your asthma is an excuse"}})
    run(
        database,
        "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state, body_text, "
        "body_html) values ('appeal_answer', %s, %s, 'a@example.org', 'Your appeal', %s, 'sent', "
        "'I have asthma', '<p>I have asthma')",
        f"appeal_answer:{number}", f"appeal_answer:{number}", payload,
    )  # fmt: skip
    return int(number)


def test_words_of_appeals_go_and_what_was_decided_stays(database: Database) -> None:
    old, taken_back = appeal(database, "granted", 366), appeal(database, "withdrawn", 366)
    young, waiting = appeal(database, "granted", 364), appeal(database, "open", 0)
    assert forget(database)["appeals"] == 2
    assert forget(database)["appeals"] == 0
    stored = dict(
        run(database, "select appeal_id, to_jsonb(appeals)::text from app.appeals")
        + run(
            database, "select -split_part(topic, ':', 2)::bigint, to_jsonb(mail)::text from app.email_reports as mail"
        )
    )
    assert {number for number, row in stored.items() if "asthma" in row} == {young, -young, waiting, -waiting}
    assert run(
        database, "select reason, state, decided_by, text, answer, forgotten_at is null from app.appeals "
        "where appeal_id = any(%s) order by appeal_id", [old, taken_back],
    ) == [
        ("illness", "granted", "Lea (person 7)", None, None, False),
        ("illness", "withdrawn", None, None, None, False),
    ]  # fmt: skip


def test_old_rows_in_quarantine_texts_of_mail_and_audit_entries_go(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, quarantine_days=30, mail_text_days=60, audit_days=90, processed_days=10)
    run(database, "insert into raw.quarantine (entity, source, line, reason, content, last_seen_at) "
        "select 'tutors', 'x', days, 'bad', '{}', now() - make_interval(days => days) "
        "from unnest(array[29, 31]) as days")  # fmt: skip
    for days in (59, 61):
        message(database, "mail", "daily_digest", days)
    tutor = "b0000000-0000-0000-0000-000000000001"
    run(database, "update app.email_reports set body_text = 'Ann: 9', "
        "payload = jsonb_build_object('tutors', jsonb_build_array(jsonb_build_object('tutor_id', %s::text, 'name', "
        "'Ann')))", tutor)  # fmt: skip
    run(database, "insert into app.audit_log (happened_at, actor, action, subject_kind, subject_id) "
        "select now() - make_interval(days => days), 'x', 'export', 'x', 'x' "
        "from unnest(array[91, 89]) as days")  # fmt: skip
    kept, gone = (tmp_path / "landing" / "processed" / name for name in ("2999-01-01", "2020-01-01T101500Z-2"))
    for folder in (kept, gone):
        folder.mkdir(parents=True)
        (folder / "tutors.csv").write_text("tutor_id\n")

    forgotten = forget_old(settings, database.as_role(DatabaseRole.TRANSFORM))
    names = ("sources", "quarantine", "mail_texts", "audit_entries")
    assert [forgotten[name] for name in names] == [1, 1, 1, 1]
    again = forget_old(settings, database.as_role(DatabaseRole.TRANSFORM))
    assert set(again.values()) == {0}
    assert (kept.exists(), gone.exists()) == (True, False)
    assert run(database, "select line from raw.quarantine") == [(29,)]
    texts = run(database, "select body_text, tutor_ids ->> 0 from app.email_reports order by settled_at")
    assert texts == [(None, tutor), ("Ann: 9", tutor)]
    assert run(database, "select action from app.audit_log order by entry_id") == [("export",), ("audit.forget",)]


def test_zero_days_are_for_ever(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, quarantine_days=0, mail_text_days=0, audit_days=0, processed_days=0)
    run(database, "insert into raw.quarantine (entity, source, line, reason, content, last_seen_at) "
        "values ('tutors', 'x', 1, 'bad', '{}', '2020-01-01')")  # fmt: skip
    assert set(forget_old(settings, database.as_role(DatabaseRole.TRANSFORM)).values()) == {0}
    told = {rule.name: rule.kept for rule in rules(settings)}
    assert (told["quarantine"], told["deliveries"], told["idempotency_keys"]) == ("for ever", "90 days", "24 hours")
    assert forget_files(settings, datetime.now(UTC).date()) == 0


def test_a_rule_that_fails_stops_no_other(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, quarantine_days=30)
    # No folder: it cannot be listed.
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "processed").write_text("")
    run(database, "drop function app.forget_deliveries(interval)")
    run(database, "insert into raw.quarantine (entity, source, line, reason, content, last_seen_at) "
        "values ('tutors', 'x', 1, 'bad', '{}', '2020-01-01')")  # fmt: skip
    with pytest.raises(TutorqError, match=r"sources \(NotADirectoryError\), deliveries \(UndefinedFunction\)$"):
        forget_old(settings, database.as_role(DatabaseRole.TRANSFORM))
    assert run(database, "select count(*) from raw.quarantine") == [(0,)]


def test_a_folder_that_is_named_after_no_day_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for name in ("2019-13-40", "2020-01-01"):
        (tmp_path / "landing" / "processed" / name).mkdir(parents=True)
    forget_files(settings, datetime.now(UTC).date())
    assert [path.name for path in (tmp_path / "landing" / "processed").iterdir()] == ["2019-13-40"]
