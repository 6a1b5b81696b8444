"""`python -m tests.e2e.log_in_link EMAIL NAME ROLE TUTOR…`: add a person with these tutors, and print a log-in link.

For tests in the browser. `tutorq people add`, `people team` and `login-link` say the same in two processes or more,
each of which takes 1.5 s of a processor to import the command line.
"""

import sys

from core import logins, people
from core.database import Database
from core.roles import Role
from core.settings import Settings


def main(email: str, name: str, role: str, *tutors: str) -> None:
    settings = Settings()
    with Database(settings).connect() as connection:
        person = people.add(connection, email, name, Role(role))
        ids = connection.execute("select t, raw.entity_uuid(t) from unnest(%s::text[]) as t", [list(tutors)])
        people.change_team(connection, person, give=dict(ids.fetchall()), take={})
        print(logins.create_link(connection, settings, person))


if __name__ == "__main__":
    main(*sys.argv[1:])
