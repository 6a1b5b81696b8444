"""The SQL that merges the rows of a file, which COPY has put into a temporary table."""

from ingest.merge import DELETED, DIFFERS, LOSES, NEW, QUARANTINE, SEEN_AGAIN, MergeSql, covers

STAGED = "staged"
ORDERED = "ordered"
REPEATED = "repeated"
REJECTED = "rejected"

CREATE_REPEATED = f"create temp table {REPEATED} (like {ORDERED}) on commit drop"
HAS_REPEATS = f"select exists (select from {ORDERED} where is_repeat)"
HAS_OVERRULED = f"select exists (select from {ORDERED} where verdict = 'overrules')"
BLOCKS = f"select pg_relation_size('pg_temp.{ORDERED}') / current_setting('block_size')::bigint"
CREATE_REJECTED = f"""
    create temp table {REJECTED} (line bigint, reason text, content text, is_remark boolean) on commit drop
"""
QUARANTINE_REJECTED = f"""
    insert into raw.quarantine (entity, source, line, reason, content, is_remark)
    select %(entity)s, %(source)s, line, reason, content, is_remark from {REJECTED} order by line
    {SEEN_AGAIN}
"""
# Sessions with the id of a staged lesson.
STORED_LESSONS = f"""
    select t.external_id
    from raw.sessions as t
    where t.lesson_id is null and t.external_id in (select lesson_id from {STAGED} where lesson_id is not null)
    order by t.external_id
"""
UNNAMED_NO_SHOWS = f"select count(*) from {STAGED} where status = 'no_show' and initiator is null"


class FileMergeSql(MergeSql):
    """Statements for the rows of one file, in the order in which they run."""

    def create_staged(self) -> str:
        """The table that COPY fills."""
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
            deletions = f"left join {DELETED} as d on {covers('d', 's')}"
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

    def students_of_refused_rows(self, people: str) -> str:
        """Take out of the staged `people` the students whom only rows name that are going to be refused: those who are
        in one session with the student of the row that wins. Sessions only."""
        row_and_winner = f"{REPEATED} as r inner join {ORDERED} as o on {self._is_same_row('o', 'r')}"
        is_refused = self._is_other_student("r", "o")
        return f"""
            delete from {people} as n
            where
                n.id in (select r.student_id from {row_and_winner} where {is_refused})
                and n.id not in (select o.student_id from {ORDERED} as o)
                and n.id not in (select r.student_id from {row_and_winner} where not {is_refused})
        """

    def overruled(self) -> str:
        """Quarantine stored versions that are about to be replaced by one as new; run before the merge.

        Parameters as for `conflicts`; the line is that of the winner.
        """
        return f"""
            {QUARANTINE}
            select %(entity)s, %(source)s, s.line, %(reason)s, {self._delivered("t")}
            from {ORDERED} as s
            inner join {self._entity.table} as t on {self._is_same_row("t", "s")}
            where s.verdict = 'overrules'
            order by s.line
            {SEEN_AGAIN}
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
            {QUARANTINE}
            select
                %(entity)s, %(source)s, s.line,
                case when {self._is_other_student("s", "t")} then %(group)s else %(reason)s end,
                {self._delivered("s")}
            from (select *, false as is_beside from {ORDERED} union all select *, true from {REPEATED}) as s
            inner join {self._entity.table} as t on {self._is_same_row("t", "s")}
            where {is_conflict} or (s.is_beside and {self._is_other_student("s", "t")})
            order by s.line
            {SEEN_AGAIN}
        """
