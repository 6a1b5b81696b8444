"""Where the database can hold a person: what each column that is no number and no time holds.

Export and erasure both work from this. Tables of `raw`, `app` and `ml` stand here one by one; tables that dbt makes are
found in the catalog, and treated by the names of their columns. `tests/persons/test_registry.py` compares it with the
catalog, so that a column nobody has thought of fails the gate.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import psycopg

Kind = Literal["tutor", "student"]

SCHEMAS: Final = ("raw", "app", "ml", "marts", "intermediate", "staging", "analytics", "test_failures")
# Made by dbt from the others. Views hold nothing.
DERIVED: Final = ("marts", "intermediate", "staging", "analytics", "test_failures")


class Holds(StrEnum):
    """What a column of text, of ids or of JSON can hold."""

    TUTOR = "the id of a tutor"
    STUDENT = "the id of a student"
    SESSION = "the id of a session"
    OWN = "what is said of the person whom the row is of; it goes with the row"
    WORDS = "words and figures of others, in which the person may be named"
    SECRET = "a secret, which no export has"  # noqa: S105
    NOBODY = "nobody"


# By the name of the column, wherever it stands.
NAMED: Final[dict[str, Holds]] = {
    "tutor_id": Holds.TUTOR,
    "student_id": Holds.STUDENT,
    "session_id": Holds.SESSION,
    "first_session_id": Holds.SESSION,
    **dict.fromkeys(("token_hash", "key_hash", "unsubscribe_token"), Holds.SECRET),
    **dict.fromkeys(
        # People of the marketplace, as rows of theirs describe them.
        ("email", "external_id", "name", "learning_goals", "preferred_teaching_style", "teaching_style", "subjects"),
        Holds.OWN,
    ),
    **dict.fromkeys(("concern_key", "pattern_key", "episodes", "factors"), Holds.OWN),
    **dict.fromkeys(
        # Words of the field, versions, states, ids of other things.
        (
            *("alerted_status", "arm", "artifact_uri", "cache_key", "caused_by", "channel", "chat_service", "checksum"),
            *("claim_id", "concern", "concern_rules", "concerns", "content_md5", "dimension", "endpoint_id", "entity"),
            *("event", "event_id", "features", "fingerprint", "git_revision", "group_key", "happened", "history"),
            *("host", "initiator", "kept", "key", "kind", "kinds", "level", "made_with", "mapping", "measure"),
            *("metrics", "model_version", "models_version", "outcome", "parameters", "plan_id", "policy", "prefix"),
            *("priority", "promotion_reason", "prompt_version", "provider", "provider_message_id", "reason_code"),
            *("reliability_counts", "remedy", "report_id", "request_sha256", "reschedule_initiator", "risk_status"),
            *("role", "slate_id", "standing", "state", "status", "step", "student_model_version", "subject"),
            *("subject_kind", "time_zone", "timezone", "unnamed_no_shows", "version_num", "what_if_id", "xact_id"),
            *("action", "digest", "hash", "id_hash", "person_hash", "person", "service", "settings"),
        ),
        Holds.NOBODY,
    ),
    **dict.fromkeys(
        # What people have written, who they were, and what was sent.
        (
            *("accepted_by", "actor", "advice", "answer", "applied_by", "asked_by", "body", "caller", "condition"),
            *("content", "created_by", "decided_by", "description", "details", "disabled_by", "disabled_why", "error"),
            *("headers", "idempotency_key", "lesson_id", "link_made_by", "made_by", "moved_to", "note", "notes"),
            *("opened_by", "path", "payload", "problem", "reason", "result", "shown", "snapshot", "source", "target"),
            *("text", "title", "told_by", "topic", "unique_key", "unknown_columns", "subject_id", "lottery"),
        ),
        Holds.WORDS,
    ),
}
# Where the name does not tell.
COLUMNS: Final[dict[str, Holds]] = {
    "intermediate.tutor_rows.row_json": Holds.OWN,
    "app.mail_opt_outs.address": Holds.OWN,
    "app.mail_suppressions.address": Holds.OWN,
    # Addresses of machines and of browsers of people who log in.
    "app.browser_sessions.address": Holds.NOBODY,
    "app.browser_sessions.user_agent": Holds.NOBODY,
    "app.code_location.code_version": Holds.NOBODY,
    "raw.moved_bookings.connector": Holds.NOBODY,
    "raw.moved_bookings.booking": Holds.OWN,
    "raw.moved_bookings.earlier": Holds.OWN,
    "intermediate.made_before.node": Holds.NOBODY,
    "intermediate.made_before.version": Holds.NOBODY,
    "intermediate.made_before.comment": Holds.NOBODY,
    "app.audit_log.address": Holds.NOBODY,
    "app.audit_log.salt": Holds.NOBODY,
    "app.undeclared_proxies.address": Holds.NOBODY,
    # Those who log in are no people of the marketplace: `tutorq people remove` forgets them.
    "app.people.name": Holds.NOBODY,
    "app.people.email": Holds.NOBODY,
    "app.people.oidc_subject": Holds.NOBODY,
    "app.api_keys.name": Holds.NOBODY,
    "app.known_settings.name": Holds.NOBODY,
    "app.notification_preferences.sealed_chat_url": Holds.SECRET,
    "app.webhook_endpoints.sealed_secret": Holds.SECRET,
    "app.webhook_endpoints.old_sealed_secret": Holds.SECRET,
    "app.webhook_endpoints.sealed_url": Holds.SECRET,
    "app.webhook_endpoints.url": Holds.NOBODY,
    "app.report_switches.switch": Holds.NOBODY,
    "app.email_reports.recipient": Holds.WORDS,
    "app.email_reports.subject": Holds.WORDS,
    "app.email_reports.body_text": Holds.WORDS,
    "app.email_reports.body_html": Holds.WORDS,
    "app.email_reports.tutor_ids": Holds.WORDS,
    "app.erasures.person_id": Holds.OWN,
    "app.erasures.delivered": Holds.OWN,
    "app.erasures.counts": Holds.NOBODY,
    "app.explanations.source": Holds.NOBODY,
    "ml.slates.source": Holds.NOBODY,
    "ml.slates.candidates": Holds.TUTOR,
    "ml.slates.made_by": Holds.WORDS,
    "ml.touched_people.person_id": Holds.OWN,
    "raw.changes.entity_id": Holds.OWN,
    "raw.quarantine.delivered_id": Holds.OWN,
    "raw.erased_ids.kind": Holds.NOBODY,
}


class Fate(StrEnum):
    """What becomes of the rows that are of the person."""

    DELETE = "deleted"
    REPLACE = "kept, with another id that nobody can derive"
    REDACT = "emptied, with a note beside it that keeps the chain of the audit log whole"


# Numbered parameters, as the API's driver takes them, too.
PARAMETERS: Final = {
    "ids": "uuid[]",
    "texts": "text[]",
    "sessions": "uuid[]",
    "session_texts": "text[]",
    "email": "text[]",
    "stub": "uuid",
}
_NUMBERED: Final = {name: f"${number}::{kind}" for number, (name, kind) in enumerate(PARAMETERS.items(), start=1)}


@dataclass(frozen=True)
class Rows:
    """Rows of a table that are of a person. In SQL, `{ids}` is the array of the person's one UUID, `{texts}` that
    of the texts that are their id, `{sessions}` and `{session_texts}` the same of their sessions, `{email}` that of
    their address in lower case, `{stub}` the id that takes their place."""

    where: str
    fate: Fate = Fate.DELETE
    # For REPLACE.
    changes: str = ""

    def sql(self, table: str) -> str:
        """The statement that erases them, or of entries of the audit log names them; parameters as `PARAMETERS`."""
        if self.fate is Fate.DELETE:
            return f"delete from {table} where {self.condition}"
        if self.fate is Fate.REDACT:
            return f"select entry_id from {table} where {self.condition}"
        return f"update {table} set {self.changes.format(**_NUMBERED)} where {self.condition}"

    @property
    def condition(self) -> str:
        return self.where.format(**_NUMBERED)


_OF_CASES = "case_id in (select case_id from app.cases where tutor_id = any({ids}))"
_ENTITY = "entity = '{kind}' and {column} = any({{ids}})"
_TUTORS_MAIL = (
    "lower(recipient) = any({email})"
    " or (tutor_ids ?| {texts} and (tutor_ids - {texts} = '[]' or channel in ('chat', 'webhook')))"
    " or payload ->> 'tutor_id' = any({texts}) or payload -> 'data' ->> 'tutor_id' = any({texts})"
)
# Answers to posts of their sessions.
_ANSWERS = (
    "exists (select from unnest({session_texts}) as named (session) where strpos(answer, '\"' || session || '\"') > 0)"
)
# A booking may be moved again and again; all of them are one session, and only one of them is its id.
_BOOKINGS = """(connector, booking) in (
    with recursive chain as (
        select connector, booking, earlier from raw.moved_bookings
        where booking = any({session_texts}) or earlier = any({session_texts})
        union
        select moves.connector, moves.booking, moves.earlier
        from raw.moved_bookings as moves
        inner join chain
            on moves.connector = chain.connector and (moves.earlier = chain.booking or moves.booking = chain.earlier)
    )
    select connector, booking from chain
)"""

# In the order in which they are erased: rows that refer to others come first. `None`: no row is of such a person.
# Other tables of `raw`, `app` and `ml` have no rows of a person; their WORDS are looked through all the same.
TABLES: Final[dict[str, dict[Kind, Rows]]] = {
    # That something was done, when and by whom, stays.
    "app.audit_log": {
        "tutor": Rows(
            "subject_id = any({texts}) or subject_id = any({session_texts})"
            " or subject_kind = 'case' and subject_id in"
            " (select case_id::text from app.cases where tutor_id = any({ids}))"
            " or subject_kind = 'appeal' and subject_id in"
            " (select appeal_id::text from app.appeals where tutor_id = any({ids}))",
            Fate.REDACT,
        ),
        "student": Rows("subject_id = any({texts}) or subject_id = any({session_texts})", Fate.REDACT),
    },
    "app.case_events": {"tutor": Rows(_OF_CASES)},
    "app.cases": {"tutor": Rows("tutor_id = any({ids})")},
    "app.appeal_sessions": {
        "tutor": Rows("appeal_id in (select appeal_id from app.appeals where tutor_id = any({ids}))")
    },
    "app.appeals": {"tutor": Rows("tutor_id = any({ids})")},
    "app.page_links": {"tutor": Rows("tutor_id = any({ids})")},
    "app.person_tutors": {"tutor": Rows("tutor_id = any({ids})")},
    "app.risk_alert_states": {"tutor": Rows("tutor_id = any({ids})")},
    "app.concern_stretches": {"tutor": Rows("tutor_id = any({ids})")},
    "app.forecasts": {"tutor": Rows("tutor_id = any({ids})")},
    "app.notifications": {"tutor": Rows("tutor_id = any({ids})")},
    "app.events": {"tutor": Rows("tutor_id = any({ids})")},
    "app.email_reports": {"tutor": Rows(_TUTORS_MAIL), "student": Rows("lower(recipient) = any({email})")},
    "app.mail_opt_outs": {"tutor": Rows("lower(address) = any({email})")},
    "app.mail_suppressions": {"tutor": Rows("lower(address) = any({email})")},
    "app.idempotency_keys": {"tutor": Rows(_ANSWERS), "student": Rows(_ANSWERS)},
    "app.excuses": {"tutor": Rows("session_id = any({sessions})")},
    "ml.match_predictions": {"tutor": Rows("tutor_id = any({ids})"), "student": Rows("student_id = any({ids})")},
    "ml.session_predictions": {
        "tutor": Rows("session_id = any({sessions})"),
        "student": Rows("session_id = any({sessions})"),
    },
    "ml.tutor_predictions": {"tutor": Rows("tutor_id = any({ids})")},
    # What was offered stays as evidence of what policies do, with nobody's id.
    "ml.offers": {"tutor": Rows("tutor_id = any({ids})", Fate.REPLACE, "tutor_id = {stub}")},
    "ml.slates": {
        "tutor": Rows(
            "candidates && {ids}", Fate.REPLACE, "candidates = array_replace(candidates, ({ids})[1], {stub})"
        ),
        "student": Rows("student_id = any({ids})", Fate.REPLACE, "student_id = {stub}"),
    },
    "raw.moved_bookings": {"tutor": Rows(_BOOKINGS), "student": Rows(_BOOKINGS)},
    "raw.deleted_sessions": {"tutor": Rows("session_id = any({sessions})")},
    "raw.reschedules": {
        "tutor": Rows("session_id = any({sessions})"),
        "student": Rows("session_id = any({sessions})", Fate.REPLACE, "reason = null"),
    },
    "raw.sessions": {
        "tutor": Rows("tutor_id = any({ids})"),
        # It is a fact of the tutor. Its own id stays, as alerts are keyed by it; what it was called elsewhere goes.
        "student": Rows("student_id = any({ids})", Fate.REPLACE, "student_id = {stub}, external_id = null"),
    },
    "raw.students": {"student": Rows("student_id = any({ids})")},
    "raw.tutors": {"tutor": Rows("tutor_id = any({ids})")},
    "app.departed_tutors": {"tutor": Rows("tutor_id = any({ids})")},
    "raw.quarantine": {
        "tutor": Rows("delivered_id = any({texts}) and entity = 'tutors' or delivered_id = any({session_texts})"),
        "student": Rows("delivered_id = any({texts}) and entity = 'students' or delivered_id = any({session_texts})"),
    },
    # Last, as triggers have noted here whom the statements above were about.
    "raw.changes": {
        "tutor": Rows(_ENTITY.format(kind="tutor", column="entity_id")),
        "student": Rows(_ENTITY.format(kind="student", column="entity_id")),
    },
    "ml.touched_people": {
        "tutor": Rows(_ENTITY.format(kind="tutor", column="person_id")),
        "student": Rows(_ENTITY.format(kind="student", column="person_id")),
    },
}
# A row that names the person is deleted, whatever else it says: kept for a day at most, or no use without the name.
DELETED_IF_NAMED: Final = frozenset({"raw.quarantine", "app.idempotency_keys", "app.explanations"})

# Types that can name nobody: numbers, times, yes and no.
PLAIN_TYPES: Final = frozenset(
    {
        *("int2", "int4", "int8", "float4", "float8", "numeric", "bool", "date", "time", "timestamp", "timestamptz"),
        *("interval", "xid8", "pg_snapshot", "_float4", "_float8", "_date", "_int2", "_int4", "_int8", "_numeric"),
    }
)

# Pairs of a plan whose parts are not all made.
_PART = re.compile(r"(ml\.match_predictions)_\d+_next")

STORED_COLUMNS = """
select
    namespace.nspname || '.' || class.relname as table_name,
    attribute.attname as column_name,
    type.typname as type_name,
    attribute.attgenerated <> '' as is_generated
from pg_attribute as attribute
inner join pg_class as class on attribute.attrelid = class.oid
inner join pg_namespace as namespace on class.relnamespace = namespace.oid
inner join pg_type as type on attribute.atttypid = type.oid
where
    namespace.nspname = any(%s)
    and class.relkind in ('r', 'p', 'm')
    and not class.relispartition
    and attribute.attnum > 0
    and not attribute.attisdropped
order by 1, attribute.attnum
"""


@dataclass(frozen=True)
class Table:
    """A table that stores rows: its columns, and the types of those that could name somebody."""

    name: str
    columns: tuple[str, ...]
    types: dict[str, str]
    # Made by the server from others: they follow.
    generated: frozenset[str] = frozenset()

    @property
    def is_derived(self) -> bool:
        return self.name.partition(".")[0] in DERIVED

    @property
    def is_of_tutors(self) -> bool:
        """Whether each of its rows is of a tutor alone."""
        return "tutor_id" in self.columns and "student_id" not in self.columns

    def holding(self, holds: Holds) -> list[str]:
        return [column for column in self.types if holds_of(self.name, column) is holds]

    @property
    def words(self) -> list[str]:
        """Columns from which the words about a person can be taken out."""
        return [column for column in self.holding(Holds.WORDS) if column not in self.generated]

    def rows(self, kind: Kind) -> Rows | None:
        """Those of such a person; None if there can be none."""
        if not self.is_derived:
            return TABLES.get(_PART.sub(r"\1", self.name), {}).get(kind)
        has_tutor, has_student = "tutor_id" in self.columns, "student_id" in self.columns
        if kind == "tutor":
            return Rows("tutor_id = any({ids})") if has_tutor else None
        if not has_student:
            return None
        if not has_tutor:
            return Rows("student_id = any({ids})")
        cleared = ["external_id", "reason"] if "session_id" in self.columns else []
        changes = ", ".join(["student_id = {stub}", *(f"{name} = null" for name in cleared if name in self.columns)])
        return Rows("student_id = any({ids})", Fate.REPLACE, changes)


def holds_of(table: str, column: str) -> Holds | None:
    """What a column holds; None if nobody has said."""
    return COLUMNS.get(f"{table}.{column}") or NAMED.get(column)


def renumbered(statement: str, parameters: Sequence[object]) -> tuple[str, list[object]]:
    """Without parameters that it does not use, whose types no server could tell."""
    used = [number for number in range(1, len(parameters) + 1) if f"${number}::" in statement]
    for place, number in enumerate(used, start=1):
        statement = statement.replace(f"${number}::", f"${place}::")
    return statement, [parameters[number - 1] for number in used]


def stored_tables(connection: psycopg.Connection, schemas: Sequence[str] = SCHEMAS) -> list[Table]:
    """All tables of the schemas that store rows; those of `TABLES` come in its order, behind all others."""
    columns: dict[str, dict[str, str]] = {}
    generated: dict[str, set[str]] = {}
    for table, column, type_name, is_generated in connection.execute(STORED_COLUMNS, [list(schemas)]):
        columns.setdefault(table, {})[column] = type_name
        if is_generated:
            generated.setdefault(table, set()).add(column)
    tables = [
        Table(
            name,
            tuple(types),
            {column: kind for column, kind in types.items() if kind not in PLAIN_TYPES},
            frozenset(generated.get(name, ())),
        )
        for name, types in columns.items()
    ]
    order = list(TABLES)
    return sorted(tables, key=lambda table: (order.index(table.name) if table.name in order else -1, table.name))
