"""The SQL that brings rows into `raw`, as far as it is the same for files and posts.

Which version of a row wins is decided by `raw.verdict` (migration 0020). Rows are written in key order, so that
parallel writers wait for each other instead of deadlocking.
"""

from core.audit import Action
from ingest.contract import RESCHEDULES, SESSIONS, Column, Entity

# The line of rows that came in no file.
NO_LINE = 0

# Verdicts, as `raw.verdict` gives them.
NEW = "'new'"
WINS = "('newer', 'fills', 'overrules')"
LOSES = "('older', 'loses')"
# As new as the other version, and it says something else.
DIFFERS = "('fills', 'overrules', 'loses')"

OVERRIDES = {SESSIONS.name: Action.SESSION_OVERRIDE, RESCHEDULES.name: Action.RESCHEDULE_OVERRIDE}
# Versions of sessions that are no longer to be stored.
DELETED = "raw.deleted_sessions"
QUARANTINE = "insert into raw.quarantine (entity, source, line, reason, content)"
SEEN_AGAIN = """
    on conflict (entity, source, line, content_md5)
    do update set reason = excluded.reason, is_remark = excluded.is_remark, last_seen_at = now()
"""


class MergeSql:
    """Parts of statements for one entity and the columns that one file, or one kind of post, has.

    With `overrides`, what is merged replaces whatever version is stored: an administrator says so.
    """

    def __init__(self, entity: Entity, columns: list[Column], *, overrides: bool = False) -> None:
        self._entity = entity
        self._columns = columns
        self._key = entity.key
        self._overrides = overrides and entity.is_versioned
        self._content = [column.name for column in columns if column.name != entity.key]
        # The external id of a session belongs to its version; that of a tutor is kept once it is known.
        if entity.is_versioned and entity.has_external_id:
            self._content.insert(0, "external_id")
        self._written = list(self._content)
        if entity.has_external_id and not entity.is_versioned:
            self._written.insert(0, "external_id")

    @property
    def staged_names(self) -> list[str]:
        """Columns of the staging table in its order, as COPY fills it."""
        external = ["external_id"] if self._entity.has_external_id else []
        rest = [column.name for column in self._columns if column.name != self._key]
        return ["line", self._key, *external, *rest]

    def _finished(self) -> str:
        """The staged columns as the table holds them."""
        columns = [self._column(name) for name in self.staged_names]
        if self._entity.part is not None:
            name, formula = self._entity.part
            columns.append(f"{formula} as {name}")
        return ", ".join(columns)

    def _verdict(self, incoming: str, stored: str) -> str:
        """What becomes of a row `incoming` where `stored` is: a verdict of `raw.verdict`.

        Most rows of a file that comes again are the same: comparing columns tells that without making JSON of them.
        """
        if not self._entity.is_versioned:
            # The last writer of a column wins (decision 25).
            return f"""
                case
                    when {stored}.is_stub or {self._differs(incoming, stored)} then 'newer'
                    when {stored}.external_id is null and {incoming}.external_id is not null then 'newer'
                    else 'same'
                end
            """
        verdict = f"raw.verdict({self._version(incoming)}, {self._version(stored)})"
        return f"case when {self._differs(incoming, stored)} then {verdict} else 'same' end"

    def _version(self, alias: str) -> str:
        return self._entity.version.format(r=alias, content=self._json(alias))

    def _is_deleted(self, alias: str) -> str:
        """Whether the row's session was deleted, and the row is no newer than that (decision 54)."""
        if not self._entity.is_versioned or self._overrides:
            return "false"
        return f"exists (select from {DELETED} as deleted where {covers('deleted', alias)})"

    def _bringing_back(self, rows: str, actor: str, source: str) -> str:
        """CTEs that take back the deletions of what `rows` override, and note that in the audit log."""
        return f"""
            taken_back as (
                delete from {DELETED} as d using {rows} as s where {covers("d", "s")}
                returning d.session_id, d.deleted_at
            ),
            noted as (
                insert into app.audit_log (actor, action, subject_kind, subject_id, details)
                select {actor}, '{OVERRIDES[self._entity.name]}', 'session', session_id::text,
                    jsonb_build_object('source', {source}, 'deleted_at', deleted_at)
                from taken_back
            )
        """

    def _replaces(self, verdict: str) -> str:
        """Whether a row of that verdict is written over what is stored: because it wins, or because it overrides."""
        return f"{verdict} <> 'same'" if self._overrides else f"{verdict} in {WINS}"

    def _is_other_student(self, left: str, right: str) -> str:
        """Whether two rows of one session are of one lesson with two students. To Postgres it is never unknown."""
        if self._entity is not SESSIONS:
            return "false"
        same = f"({left}.tutor_id, {left}.scheduled_time) = ({right}.tutor_id, {right}.scheduled_time)"
        return f"({same} and {left}.student_id <> {right}.student_id)"

    def _insert(self, due: str, replaces: str) -> str:
        """The statement, up to its `returning`, that writes the rows `due` (a `from` item `o`) in key order.

        `replaces`: whether `excluded` takes the place of the stored row `t`, which is locked in either case.
        """
        key = self._key
        columns = [key, *self._written, *([] if self._entity.is_versioned else ["is_stub"])]
        values = [f"o.{key}", *(f"o.{name}" for name in self._written)]
        changes = [f"{name} = excluded.{name}" for name in self._content]
        if self._entity.is_versioned:
            changes.append("loaded_at = now()")
        else:
            values.append("false")
            changes += [
                "external_id = coalesce(t.external_id, excluded.external_id)",
                "is_stub = false",
                "updated_at = now()",
            ]
        return f"""
            insert into {self._entity.table} as t ({", ".join(columns)})
            select {", ".join(values)}
            from {due}
            order by {self._keys_of("o")}
            on conflict ({", ".join(self._entity.primary_key)}) do update set {", ".join(changes)}
            where {replaces}
        """

    def _winner_first(self, alias: str) -> str:
        """`order by` that puts the winner among rows with one key first."""
        if self._entity.is_versioned:
            return f"{self._version(alias)} desc"
        return f"{alias}.external_id nulls last, jsonb_strip_nulls({self._json(alias)}) desc"

    def _delivered(self, alias: str) -> str:
        """The row as JSON, with ids as they were delivered where that is known."""
        fields = []
        for column in self._columns:
            value = f"{alias}.{column.name}"
            if column.name == self._key and self._entity.has_external_id:
                value = f"coalesce({alias}.external_id, {value}::text)"
            fields.append(f"'{column.name}', {value}")
        return f"jsonb_strip_nulls(jsonb_build_object({', '.join(fields)}))::text"

    def _audit(self, actor: str, source: str) -> str:
        """The beginning of a statement that notes stored rows `t` and what replaces them, `s`."""
        details = f"'source', {source}, 'before', {self._delivered('t')}::jsonb, 'after', {self._delivered('s')}::jsonb"
        return f"""
            insert into app.audit_log (actor, action, subject_kind, subject_id, details)
            select {actor}, '{OVERRIDES[self._entity.name]}', 'session', t.{self._key}::text,
                jsonb_build_object({details})
        """

    def _differs(self, left: str, right: str) -> str:
        if not self._content:
            return "false"
        return f"row({self._row(left)}) is distinct from row({self._row(right)})"

    def _is_same_row(self, left: str, right: str) -> str:
        return " and ".join(f"{left}.{name} = {right}.{name}" for name in self._entity.primary_key)

    def _keys_of(self, alias: str) -> str:
        return ", ".join(f"{alias}.{name}" for name in self._entity.primary_key)

    def _key_of(self, alias: str) -> str:
        """As one value."""
        keys = self._keys_of(alias)
        return keys if self._entity.part is None else f"row({keys})"

    def _row(self, alias: str) -> str:
        return ", ".join(f"{alias}.{name}" for name in self._content)

    def _json(self, alias: str) -> str:
        pairs = ", ".join(f"'{name}', {alias}.{name}" for name in self._content)
        return f"jsonb_build_object({pairs})"

    def _staged_types(self) -> dict[str, str]:
        return {column.name: column.staged_type for column in self._columns} | {"line": "bigint", "external_id": "text"}

    def _column(self, name: str) -> str:
        for column in self._columns:
            if column.name == name and column.default is not None:
                value = f"string_to_array({name}, ';')" if column.sql_type == "text[]" else name
                return f"coalesce({value}, {column.default}) as {name}"
        return name


def covers(deletion: str, row: str) -> str:
    """SQL: whether the row is a version of the deleted session, or of its move, that is no newer than the deletion."""
    return (
        f"{deletion}.session_id = {row}.session_id and coalesce({row}.updated_at, '-infinity') <= {deletion}.updated_at"
    )
