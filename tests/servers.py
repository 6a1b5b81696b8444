"""A Postgres server of a test's own, whose owner is made by the SQL of docs/operations.md and who is no superuser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from core.embedded import EmbeddedPostgres
from core.settings import PROJECT_ROOT
from tests.conftest import SERVER_SETTINGS

OPERATIONS = PROJECT_ROOT / "docs" / "operations.md"
PASSWORD = "owner's-own"
QUOTED = "owner%27s-own"


@dataclass(frozen=True)
class Server:
    """Logins of it need their passwords, but for the superuser."""

    base: str

    def url(self, login: str, database: str) -> str:
        """`login` is a name, or a name and a password as in a URL."""
        return re.sub(r"//[^/]*/[^?]*", f"//{login}@/{database}", self.base)

    @property
    def owner(self) -> str:
        return self.url(f"tutorq:{QUOTED}", "tutorq")

    def as_superuser(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url("postgres", database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def documented_server(home: Path) -> Iterator[Server]:
    """A server on which an administrator has run what *External Postgres* says, and nothing else."""
    embedded = EmbeddedPostgres(home)
    server = Server(embedded.start())
    try:
        server.as_superuser(*(f"alter system set {setting}" for setting in SERVER_SETTINGS))
        rules = home / "postgres" / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        server.as_superuser("select pg_reload_conf()", *documented_sql("External Postgres"))
        yield server
    finally:
        embedded.release()


def documented_sql(heading: str) -> list[str]:
    """The statements of the first SQL under a heading, with a password for the dots."""
    section = OPERATIONS.read_text().partition(f"\n## {heading}\n")[2]
    block = re.sub("--.*", "", section.partition("```sql\n")[2].partition("```")[0])
    statements = [statement.strip() for statement in block.split(";") if statement.strip()]
    assert statements, f"no SQL under {heading}"
    password = PASSWORD.replace("'", "''")
    return [statement.replace("'…'", f"'{password}'") for statement in statements]
