"""The SQL that brings staged rows into `raw`. Which version of a row wins is decided by `raw.verdict` (migration 0020).

Rows are written in key order, so that parallel writers wait for each other instead of deadlocking.
"""

from core.audit import Action
from ingest.contract import RESCHEDULES, SESSIONS, Column, Entity

STAGED = "staged"
# The line of rows that came in no file.
NO_LINE = 0
ORDERED = "ordered"
REPEATED = "repeated"

# Verdicts, as `raw.verdict` gives them.
NEW = "'new'"
WINS = "('newer', 'fills', 'overrules')"
LOSES = "('older', 'loses')"
# As new as the other version, and it says something else.
DIFFERS = "('fills', 'overrules', 'loses')"


class MergeSql:
    """Statements for one entity and the columns that one file has.

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

    def create_staged(self) -> str:
        types = self._staged_types()
        columns = ", ".join(f"{name} {types[name]}" for name in self.staged_names)
        return f"create temp table {STAGED} ({columns}) on commit drop"

    def create_ordered(self) -> str:
        """Staged rows in key order with what is known before the merge.

        `is_repeat`: an earlier row has the same key. `verdict`: that of the row on what is stored, or `new`.
        """
        key = self._key_of("s")
        is_deleted, deletions = "false", ""
        if self._entity.is_versioned and not self._overrides:
            # Joined, because a subquery would be looked up for each row.
            is_deleted = "d.session_id is not null"
            deletions = f"left join {_DELETED} as d on {_covers('d', 's')}"
        return f"""
            create temp table {ORDERED} on commit drop as
            select
                s.*,
                coalesce(lag({key}) over (order by {self._keys_of("s")}) = {key}, false) as is_repeat,
                case
                    when {is_deleted} then 'older'
                    when t.{self._key} is null then {NEW}
                    else {self._verdict("s", "t")}
                end as verdict
            from (select {self._finished()} from {STAGED}) as s
            left join {self._entity.table} as t on {self._is_same_row("t", "s")}
            {deletions}
            order by {self._keys_of("s")}
        """

    def split_repeats(self) -> str:
        """Move all but the winner of each repeated key to their own table."""
        return f"""
            with ranked as materialized (
                select
                    o.ctid as place,
                    row_number() over (
                        partition by {self._keys_of("o")} order by {self._winner_first("o")}, o.line
                    ) as rank
                from {ORDERED} as o
                where ({self._keys_of("o")}) in (select {self._keys_of("r")} from {ORDERED} as r where r.is_repeat)
            ),
            gone as (
                delete from {ORDERED} as o using ranked
                where o.ctid = ranked.place and ranked.rank > 1
                returning o.*
            )
            insert into {REPEATED} select * from gone
        """

    def upsert(self) -> str:
        """Merge the due rows of a range of blocks; returns the counts (inserted, updated).

        Parameters: the first block and the block after the last.
        """
        due = f"""
            {ORDERED} as o
            where
                (o.verdict = {NEW} or {self._replaces("o.verdict")})
                and o.ctid >= format('(%%s,0)', %(first)s::bigint)::tid
                and o.ctid < format('(%%s,0)', %(end)s::bigint)::tid
        """
        return f"""
            with merged as (
                {self._insert(due, self._replaces(self._verdict("excluded", "t")))}
                returning xmax = 0 as is_new
            )
            select count(*) filter (where is_new), count(*) filter (where not is_new) from merged
        """

    def merge_given(self, *, are_distinct: bool) -> str:
        """Merge rows that are parameters, in one statement; yields the `line` of each that changed something, with
        true, and of each that was stored before as it is, with false.

        For small batches: it makes no temporary tables. Rows that would replace a version as new, and contradict it,
        are left to `overrule_given`. Parameters: an array per column of `staged_names`. If no key comes twice
        (`are_distinct`), there are no winners to be found, which takes a sixth of the time.
        """
        key = self._key
        verdict = self._verdict("excluded", "t")
        replaces = self._replaces(verdict) if self._overrides else f"{verdict} in ('newer', 'fills')"
        return f"""
            with given as ({self._given()}),
            {self._ranked(are_distinct=are_distinct)},
            merged as (
                {self._insert(f"ranked as o where o.rank = 1 and not {self._is_deleted('o')}", replaces)}
                returning {self._keys_of("t")}
            )
            select r.line, m.{key} is not null
            from ranked as r
            left join merged as m on {self._is_same_row("m", "r")}
            where
                r.rank = 1
                and (
                    m.{key} is not null
                    or exists (
                        select from {self._entity.table} as t
                        where {self._is_same_row("t", "r")} and not ({self._differs("r", "t")})
                    )
                )
        """

    def overrule_given(self) -> str:
        """Replace what is stored by rows that are as new, say something else, and win; it goes to quarantine. Yields
        the `line` of each such row. Versioned entities only.

        To be run after `merge_given`, in its transaction, on the rows that it did not yield. Parameters as there, then
        source and reason.

        A statement of its own, because before Postgres 18 none can return what it replaces, and a version that another
        writer commits meanwhile is not in the snapshot of `merge_given`. `merge_given` has locked it, though, so here
        it is visible and stands still.
        """
        table = self._entity.table
        changes = ", ".join(f"{name} = o.{name}" for name in self._content)
        return f"""
            with given as ({self._given()}),
            {self._ranked(are_distinct=False)},
            overruling as materialized (
                select r.*, {self._delivered("t")} as overruled
                from ranked as r
                inner join {table} as t on {self._is_same_row("t", "r")}
                where r.rank = 1 and {self._verdict("r", "t")} = 'overrules'
            ),
            replaced as (
                update {table} as t set {changes}, loaded_at = now() from overruling as o
                where {self._is_same_row("t", "o")}
            ),
            kept as (
                {_QUARANTINE}
                select {self._place()}, o.overruled from overruling as o
                {_SEEN_AGAIN}
            )
            select line from overruling
        """

    def losers_given(self) -> str:
        """Why rows that are parameters changed nothing: yields the `line` of each that is an older version than what is
        stored, or was deleted, with true, and of each that contradicts what is stored and is as new, with false; then
        the version that it lost against, and whether that is a deletion. Puts those that contradict into quarantine.

        To be run after `merge_given` and `overrule_given`, in their transaction, on the rows that they did not yield.
        Parameters as of `overrule_given`.
        """
        return f"""
            with given as ({self._given()}),
            judged as materialized (
                select
                    s.*,
                    d.session_id is not null as is_deleted,
                    case when d.session_id is null then {self._verdict("s", "t")} else 'older' end as verdict,
                    case when d.session_id is null then t.updated_at else d.updated_at end as stored_version
                from given as s
                left join {self._entity.table} as t on {self._is_same_row("t", "s")}
                left join {_DELETED} as d on {_covers("d", "s")}
                where t.{self._key} is not null or d.session_id is not null
            ),
            losing as (
                select
                    s.line,
                    s.verdict = 'older' as is_older,
                    s.stored_version,
                    s.is_deleted,
                    case when s.verdict <> 'older' then {self._delivered("s")} end as content
                from judged as s
                where s.verdict = 'older' or s.verdict in {DIFFERS}
            ),
            kept as (
                {_QUARANTINE}
                select distinct {self._place()}, l.content from losing as l where l.content is not null
                {_SEEN_AGAIN}
            )
            select line, is_older, stored_version, is_deleted from losing
        """

    def overridden_given(self) -> str:
        """Take back the deletions of rows that are parameters. Note these in the audit log, and what the rows replace
        although they would lose.

        To be run before `merge_given`. Parameters: its columns and source, and who says so.
        """
        after = len(self.staged_names)
        return f"""
            with given as ({self._given()}),
            {self._ranked(are_distinct=False)},
            {self._bringing_back("ranked", f"${after + 2}::text", f"${after + 1}::text")}
            {self._audit(f"${after + 2}::text", f"${after + 1}::text")}
            from ranked as s
            inner join {self._entity.table} as t on {self._is_same_row("t", "s")}
            where s.rank = 1 and {self._verdict("s", "t")} in {LOSES}
            order by {self._keys_of("t")}
            for no key update of t
        """

    def overridden(self) -> str:
        """The same for the staged rows; run before the merge. Parameters: actor, source."""
        return f"""
            with {self._bringing_back(ORDERED, "%(actor)s::text", "%(source)s::text")}
            {self._audit("%(actor)s::text", "%(source)s::text")}
            from {ORDERED} as s
            inner join {self._entity.table} as t on {self._is_same_row("t", "s")}
            where {self._verdict("s", "t")} in {LOSES}
            order by {self._keys_of("t")}
            for no key update of t
        """

    def stale(self) -> str:
        """How many of the staged rows are older than what is stored; run after the merge."""
        return f"""
            select
                (select count(*) from {ORDERED} as o where o.verdict = 'older' and not ({self._replaces("o.verdict")}))
                + (
                    select count(*)
                    from {REPEATED} as s
                    left join {self._entity.table} as t on {self._is_same_row("t", "s")}
                    where
                        {self._is_deleted("s")}
                        or (
                            t.{self._key} is not null
                            and {self._verdict("s", "t")} = 'older'
                            and not {self._is_other_student("s", "t")}
                        )
                )
        """

    def conflicts(self) -> str:
        """Quarantine the losers that are as new as what is stored now but differ; run after the merge.

        Of one session with several students, those who are not stored are among them, however new they are.
        Parameters: entity, source, reason, and the reason of such students.
        """
        is_conflict = self._differs("s", "t")
        if self._entity.is_versioned:
            is_conflict = f"{self._verdict('s', 't')} in {DIFFERS}"
        return f"""
            {_QUARANTINE}
            select
                %(entity)s, %(source)s, s.line,
                case when {self._is_other_student("s", "t")} then %(group)s else %(reason)s end,
                {self._delivered("s")}
            from (select *, false as is_beside from {ORDERED} union all select *, true from {REPEATED}) as s
            inner join {self._entity.table} as t on {self._is_same_row("t", "s")}
            where {is_conflict} or (s.is_beside and {self._is_other_student("s", "t")})
            order by s.line
            {_SEEN_AGAIN}
        """

    def overruled(self) -> str:
        """Quarantine stored versions that are about to be replaced by one as new; run before the merge.

        Parameters as for `conflicts`; the line is that of the winner.
        """
        return f"""
            {_QUARANTINE}
            select %(entity)s, %(source)s, s.line, %(reason)s, {self._delivered("t")}
            from {ORDERED} as s
            inner join {self._entity.table} as t on {self._is_same_row("t", "s")}
            where s.verdict = 'overrules'
            order by s.line
            {_SEEN_AGAIN}
        """

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

    def _is_deleted(self, alias: str) -> str:
        """Whether the row's session was deleted, and the row is no newer than that (decision 54)."""
        if not self._entity.is_versioned or self._overrides:
            return "false"
        return f"exists (select from {_DELETED} as deleted where {_covers('deleted', alias)})"

    def _bringing_back(self, rows: str, actor: str, source: str) -> str:
        """CTEs that take back the deletions of what `rows` override, and note that in the audit log."""
        return f"""
            taken_back as (
                delete from {_DELETED} as d using {rows} as s where {_covers("d", "s")}
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

    def _keys_of(self, alias: str) -> str:
        return ", ".join(f"{alias}.{name}" for name in self._entity.primary_key)

    def _key_of(self, alias: str) -> str:
        """As one value."""
        keys = self._keys_of(alias)
        return keys if self._entity.part is None else f"row({keys})"

    def _is_same_row(self, left: str, right: str) -> str:
        return " and ".join(f"{left}.{name} = {right}.{name}" for name in self._entity.primary_key)

    def _row(self, alias: str) -> str:
        return ", ".join(f"{alias}.{name}" for name in self._content)

    def _differs(self, left: str, right: str) -> str:
        if not self._content:
            return "false"
        return f"row({self._row(left)}) is distinct from row({self._row(right)})"

    def _json(self, alias: str) -> str:
        pairs = ", ".join(f"'{name}', {alias}.{name}" for name in self._content)
        return f"jsonb_build_object({pairs})"

    def _version(self, alias: str) -> str:
        return self._entity.version.format(r=alias, content=self._json(alias))

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

    def _ranked(self, *, are_distinct: bool) -> str:
        """`given` with the rank of each row among those of its key; the winner is first."""
        rank = "1"
        if not are_distinct:
            rank = f"row_number() over (partition by {self._keys_of('g')} order by {self._winner_first('g')}, g.line)"
        return f"ranked as materialized (select g.*, {rank} as rank from given as g)"

    def _given(self) -> str:
        """The rows that are parameters, one array each column."""
        types = self._staged_types()
        names = self.staged_names
        arrays = [f"${place}::{types[name]}[]" for place, name in enumerate(names, start=1)]
        return f"select {self._finished()} from unnest({', '.join(arrays)}) as s ({', '.join(names)})"

    def _place(self) -> str:
        """Entity, source, line and reason of a row in quarantine that came as a parameter."""
        after = len(self.staged_names)
        return f"'{self._entity.name}', ${after + 1}::text, {NO_LINE}, ${after + 2}::text"

    def _staged_types(self) -> dict[str, str]:
        return {column.name: column.staged_type for column in self._columns} | {"line": "bigint", "external_id": "text"}

    def _winner_first(self, alias: str) -> str:
        """`order by` that puts the winner among rows with one key first."""
        if self._entity.is_versioned:
            return f"{self._version(alias)} desc"
        return f"{alias}.external_id nulls last, jsonb_strip_nulls({self._json(alias)}) desc"

    def _finished(self) -> str:
        """The staged columns as the table holds them."""
        columns = [self._column(name) for name in self.staged_names]
        if self._entity.part is not None:
            name, formula = self._entity.part
            columns.append(f"{formula} as {name}")
        return ", ".join(columns)

    def _column(self, name: str) -> str:
        for column in self._columns:
            if column.name == name and column.default is not None:
                value = f"string_to_array({name}, ';')" if column.sql_type == "text[]" else name
                return f"coalesce({value}, {column.default}) as {name}"
        return name

    def _audit(self, actor: str, source: str) -> str:
        """The beginning of a statement that notes stored rows `t` and what replaces them, `s`."""
        details = f"'source', {source}, 'before', {self._delivered('t')}::jsonb, 'after', {self._delivered('s')}::jsonb"
        return f"""
            insert into app.audit_log (actor, action, subject_kind, subject_id, details)
            select {actor}, '{OVERRIDES[self._entity.name]}', 'session', t.{self._key}::text,
                jsonb_build_object({details})
        """

    def _delivered(self, alias: str) -> str:
        """The row as JSON, with ids as they were delivered where that is known."""
        fields = []
        for column in self._columns:
            value = f"{alias}.{column.name}"
            if column.name == self._key and self._entity.has_external_id:
                value = f"coalesce({alias}.external_id, {value}::text)"
            fields.append(f"'{column.name}', {value}")
        return f"jsonb_strip_nulls(jsonb_build_object({', '.join(fields)}))::text"


# Versions of sessions that are no longer to be stored.
_DELETED = "raw.deleted_sessions"


def _covers(deletion: str, row: str) -> str:
    """SQL: whether the row is a version of the deleted session, or of its move, that is no newer than the deletion."""
    return (
        f"{deletion}.session_id = {row}.session_id and coalesce({row}.updated_at, '-infinity') <= {deletion}.updated_at"
    )


OVERRIDES = {SESSIONS.name: Action.SESSION_OVERRIDE, RESCHEDULES.name: Action.RESCHEDULE_OVERRIDE}
_QUARANTINE = "insert into raw.quarantine (entity, source, line, reason, content)"
_SEEN_AGAIN = """
    on conflict (entity, source, line, content_md5)
    do update set reason = excluded.reason, is_remark = excluded.is_remark, last_seen_at = now()
"""

CREATE_REPEATED = f"create temp table {REPEATED} (like {ORDERED}) on commit drop"
HAS_REPEATS = f"select exists (select from {ORDERED} where is_repeat)"
HAS_OVERRULED = f"select exists (select from {ORDERED} where verdict = 'overrules')"
BLOCKS = f"select pg_relation_size('pg_temp.{ORDERED}') / current_setting('block_size')::bigint"

REJECTED = "rejected"
CREATE_REJECTED = f"""
    create temp table {REJECTED} (line bigint, reason text, content text, is_remark boolean) on commit drop
"""
QUARANTINE_REJECTED = f"""
    insert into raw.quarantine (entity, source, line, reason, content, is_remark)
    select %(entity)s, %(source)s, line, reason, content, is_remark from {REJECTED} order by line
    {_SEEN_AGAIN}
"""


# Sessions with the id of a staged lesson.
STORED_LESSONS = f"""
    select t.external_id
    from raw.sessions as t
    where t.lesson_id is null and t.external_id in (select lesson_id from {STAGED} where lesson_id is not null)
    order by t.external_id
"""

# Rejected rows that came in no file. Parameters: entity, source, and an array each of reasons and contents.
QUARANTINE_GIVEN = f"""
    {_QUARANTINE}
    select distinct on (content) $1::text, $2::text, {NO_LINE}, reason, content
    from unnest($3::text[], $4::text[]) as rejected (reason, content)
    order by content, reason
    {_SEEN_AGAIN}
"""

# People who are parameters: an array each of ids and of external ids.
GIVEN_PEOPLE = "unnest($1::uuid[], $2::text[]) as named (id, external_id)"


def unknown_people(table: str, key: str, ids: str, external_ids: str) -> str:
    """Of people given as two arrays, those that a stub or an external id has to be written for."""
    return f"""
        select '{table}', named.id, named.external_id
        from unnest({ids}::uuid[], {external_ids}::text[]) as named (id, external_id)
        where not exists (
            select from raw.{table} as t
            where t.{key} = named.id and (t.external_id is not null or named.external_id is null)
        )
    """


def named_people(table: str) -> str:
    """Where the tutors or students that a sessions file names are staged."""
    return f"named_{table}"


def create_people(table: str) -> str:
    return f"create temp table {named_people(table)} (id uuid, external_id text) on commit drop"


def insert_stubs(table: str, key: str, people: str) -> str:
    return f"""
        insert into raw.{table} ({key}, external_id, is_stub)
        select distinct on (id) id, external_id, true from {people} order by id, external_id nulls last
        on conflict ({key}) do nothing
    """


def fill_external_ids(table: str, key: str, people: str) -> str:
    """Note the original id of people who were known by UUID only; locks in key order."""
    return f"""
        with target as (
            select t.{key} as id, n.external_id
            from raw.{table} as t
            inner join (
                select distinct on (id) id, external_id from {people}
                where external_id is not null
                order by id, external_id
            ) as n on n.id = t.{key}
            where t.external_id is null
            order by t.{key}
            for no key update of t
        )
        update raw.{table} as t
        set external_id = target.external_id, updated_at = now()
        from target
        where t.{key} = target.id
    """
