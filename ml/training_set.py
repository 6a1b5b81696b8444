"""What models learn from, read from its mart."""

from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from psycopg import sql

from core.database import Database
from ml.features import ATTRITION, MATCH, SESSION, STUDENT_NO_SHOW, Task
from ml.marts import marts_needed

if TYPE_CHECKING:
    import pandas as pd

MARTS = {
    MATCH.kind: "match_outcomes",
    SESSION.kind: "session_outcomes",
    STUDENT_NO_SHOW.kind: "session_outcomes",
    ATTRITION.kind: "attrition_outcomes",
}


def labelled_rows(database: Database, task: Task) -> int:
    """How many rows there are to learn from. Raises TutorqError if the mart has not been built."""
    query = sql.SQL("select count(*) from {} where {} is not null").format(
        sql.Identifier("marts", MARTS[task.kind]), sql.Identifier(task.label)
    )
    with marts_needed(), database.connect() as connection:
        (count,) = connection.execute(query).fetchone() or (0,)
    return int(count)


def training_set(database: Database, task: Task, *, last_days: int | None = None, share: float = 1) -> "pd.DataFrame":
    """A row per labelled pair, session, or tutor and day: key (text), times (UTC), label (boolean), features and
    subgroups. With `last_days`, only the rows of so many days before the newest. With a `share` below 1, about so many
    of them, chosen by a hash of their keys: the same rows each time, and of a smaller share a part of them.

    The stream goes through a file on disk, so that its text is never in memory beside the frame. Raises TutorqError if
    the mart has not been built.
    """
    import pandas as pd

    moments = [task.time_column, *([task.outcome_column] if task.outcome_column else [])]
    keys = [name for name in task.key if name not in moments]
    names = [name for name in task.names if name not in (*keys, *moments)]
    others = [name for name in task.subgroups if name not in names]
    columns = [
        *(sql.SQL("{0}::text as {0}").format(sql.Identifier(name)) for name in keys),
        *(
            sql.SQL("(extract(epoch from {0}) * 1000000)::bigint as {0}").format(sql.Identifier(name))
            for name in moments
        ),
        sql.SQL("{0}::integer as {0}").format(sql.Identifier(task.label)),
        # A boolean is a number to a model; only by way of an integer does Postgres make one of it.
        *(
            sql.SQL("{0}::integer as {0}" if name.startswith("is_") else "{0}").format(sql.Identifier(name))
            for name in (*names, *others)
        ),
    ]
    mart = sql.Identifier("marts", MARTS[task.kind])
    newest = sql.SQL("and {time} > (select max({time}) from {mart}) - make_interval(days => {days})").format(
        time=sql.Identifier(task.time_column), mart=mart, days=sql.Literal(last_days)
    )
    # MD5, because Postgres promises to keep it from version to version, which it does not of its own hashes.
    chosen = sql.SQL("and ('x' || left(md5(concat_ws(' ', {key})), 8))::bit(32)::bigint < {share} * 2.0 ^ 32").format(
        key=sql.SQL(", ").join(sql.Identifier(name) for name in task.key), share=sql.Literal(share)
    )
    query = sql.SQL("copy (select {} from {} where {} is not null {} {}) to stdout (format csv, header)").format(
        sql.SQL(", ").join(columns),
        mart,
        sql.Identifier(task.label),
        newest if last_days is not None else sql.SQL(""),
        chosen if share < 1 else sql.SQL(""),
    )
    with TemporaryFile() as file:
        with (
            marts_needed(),
            database.connect() as connection,
            connection.cursor() as cursor,
            cursor.copy(query) as blocks,
        ):
            for block in blocks:
                file.write(block)
        file.seek(0)
        frame = pd.read_csv(file, dtype={**dict.fromkeys(keys, "str"), "subject": "str"})
    for name in moments:
        frame[name] = pd.to_datetime(frame[name], unit="us", utc=True)
    frame[task.label] = frame[task.label].astype("bool")
    return frame
