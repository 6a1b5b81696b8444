"""The SQL that merges posted rows, which are parameters of the statement: an array for each column."""

from ingest.merge import DELETED, DIFFERS, LOSES, NO_LINE, QUARANTINE, SEEN_AGAIN, MergeSql, covers

# Rejected rows. Parameters: entity, source, and an array each of reasons and contents.
QUARANTINE_REJECTED = f"""
    {QUARANTINE}
    select distinct on (content) $1::text, $2::text, {NO_LINE}, reason, content
    from unnest($3::text[], $4::text[]) as rejected (reason, content)
    order by content, reason
    {SEEN_AGAIN}
"""


class PostMergeSql(MergeSql):
    """Statements for posted rows.

    For small batches: they make no temporary tables.
    """

    def merge(self, *, are_distinct: bool) -> str:
        """Merge rows that are parameters, in one statement; yields the `line` of each that changed something, or, if no
        key comes twice (`are_distinct`), its key: Postgres, which does not know how many rows come, would join a
        thousand rows with a thousand to find their lines, pair by pair.

        Rows that would replace a version as new, and contradict it, are left to `overrule`. Parameters: an array per
        column of `staged_names`.
        """
        verdict = self._verdict("excluded", "t")
        replaces = self._replaces(verdict) if self._overrides else f"{verdict} in ('newer', 'fills')"
        is_due = f"not {self._is_deleted('o')}"
        if are_distinct:
            return f"""
                with given as ({self._given()})
                {self._insert(f"given as o where {is_due}", replaces)}
                returning t.{self._key}
            """
        return f"""
            with given as ({self._given()}),
            {self._ranked()},
            merged as (
                {self._insert(f"ranked as o where o.rank = 1 and {is_due}", replaces)}
                returning {self._keys_of("t")}
            )
            select r.line from ranked as r inner join merged as m on {self._is_same_row("m", "r")} where r.rank = 1
        """

    def same(self) -> str:
        """Yields the `line` of each row that is stored as it is. Parameters as of `merge`, after which it is run."""
        return f"""
            with given as ({self._given()})
            select g.line
            from given as g
            inner join {self._entity.table} as t on {self._is_same_row("t", "g")}
            where not ({self._differs("g", "t")})
        """

    def overrule(self) -> str:
        """Replace what is stored by rows that are as new, say something else, and win; it goes to quarantine. Yields
        the `line` of each such row. Versioned entities only.

        To be run after `merge`, in its transaction, on the rows that it did not yield. Parameters as there, then
        source and reason.

        A statement of its own, because before Postgres 18 none can return what it replaces, and a version that another
        writer commits meanwhile is not in the snapshot of `merge`. `merge` has locked it, though, so here
        it is visible and stands still.
        """
        table = self._entity.table
        changes = ", ".join(f"{name} = o.{name}" for name in self._content)
        return f"""
            with given as ({self._given()}),
            {self._ranked()},
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
                {QUARANTINE}
                select {self._place()}, o.overruled from overruling as o
                {SEEN_AGAIN}
            )
            select line from overruling
        """

    def losers(self) -> str:
        """Why rows that are parameters changed nothing: yields the `line` of each that is an older version than what is
        stored, or was deleted, with true, and of each that contradicts what is stored and is as new, with false; then
        the version that it lost against, and whether that is a deletion. Puts those that contradict into quarantine.

        To be run after `merge` and `overrule`, in their transaction, on the rows that they did not yield.
        Parameters as of `overrule`.
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
                left join {DELETED} as d on {covers("d", "s")}
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
                {QUARANTINE}
                select distinct {self._place()}, l.content from losing as l where l.content is not null
                {SEEN_AGAIN}
            )
            select line, is_older, stored_version, is_deleted from losing
        """

    def overridden(self) -> str:
        """Take back the deletions of rows that are parameters. Note these in the audit log, and what the rows replace
        although they would lose.

        To be run before `merge`. Parameters: its columns and source, and who says so.
        """
        after = len(self.staged_names)
        return f"""
            with given as ({self._given()}),
            {self._ranked()},
            {self._bringing_back("ranked", f"${after + 2}::text", f"${after + 1}::text")}
            {self._audit(f"${after + 2}::text", f"${after + 1}::text")}
            from ranked as s
            inner join {self._entity.table} as t on {self._is_same_row("t", "s")}
            where s.rank = 1 and {self._verdict("s", "t")} in {LOSES}
            order by {self._keys_of("t")}
            for no key update of t
        """

    def _given(self) -> str:
        """The rows that are parameters, one array each column."""
        types = self._staged_types()
        names = self.staged_names
        arrays = [f"${place}::{types[name]}[]" for place, name in enumerate(names, start=1)]
        return f"select {self._finished()} from unnest({', '.join(arrays)}) as s ({', '.join(names)})"

    def _ranked(self) -> str:
        """`given` with the rank of each row among those of its key; the winner is first."""
        rank = f"row_number() over (partition by {self._keys_of('g')} order by {self._winner_first('g')}, g.line)"
        return f"ranked as materialized (select g.*, {rank} as rank from given as g)"

    def _place(self) -> str:
        """Entity, source, line and reason of a row in quarantine that came as a parameter."""
        after = len(self.staged_names)
        return f"'{self._entity.name}', ${after + 1}::text, {NO_LINE}, ${after + 2}::text"
