"""What tutorq asks of a Postgres server."""

import psycopg

OLDEST = 15


def server_problem(connection: psycopg.Connection) -> str | None:
    """Why tutorq cannot use this database, in one line that says what to do; None if it can.

    The server has told all of it at the connect, so this asks nothing.
    """
    info = connection.info
    version, encoding = info.server_version // 10_000, info.parameter_status("server_encoding")
    if version < OLDEST:
        return f"the server is Postgres {version}, and tutorq needs {OLDEST} or newer"
    if encoding not in ("UTF8", None):
        return (
            f"the database {info.dbname} stores text as {encoding}, and names need UTF8; make another one: "
            f"create database … encoding 'UTF8' template template0"
        )
    if info.parameter_status("in_hot_standby") == "on":
        return "the server is a standby, which nobody can write to; name the primary in the URL"
    if info.parameter_status("default_transaction_read_only") == "on":
        return (
            f"the database {info.dbname} is read-only for {info.user}; "
            "reset default_transaction_read_only of the database, the user or the server"
        )
    return None
