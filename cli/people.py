"""`tutorq people` and `login-link`: who logs in to the dashboard, whose tutors are whose, and who is logged in."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, print_table, tells_errors
from core.errors import TutorqError
from core.words import plural

if TYPE_CHECKING:
    from uuid import UUID

    from core.people import Person
    from core.roles import Role

# By what only they have in their user agent, before what others have, too.
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}

login_app = typer.Typer()
app = typer.Typer(help="Manage the people who log in to the dashboard.", no_args_is_help=True)

EMAIL = typer.Argument(metavar="EMAIL", help="E-mail address of the person.")
Email = Annotated[str, EMAIL]
OptionalEmail = Annotated[str | None, EMAIL]
RoleText = Annotated[
    str | None,
    typer.Option(
        "--role",
        metavar="ROLE",
        help="read views; coach edits cases of their own tutors, lead of all tutors, admin edits everything.",
    ),
]
Tutors = Annotated[list[str] | None, typer.Option(metavar="TUTOR", help="Tutor id. Repeatable.")]


@login_app.command("login-link")
@tells_errors
def login_link(email: Email, as_json: JsonFlag = False) -> None:
    """Print a log-in link for a person. The link works once, within ten minutes."""
    from core import logins, people

    settings, database = open_platform()
    with database.connect() as connection:
        person = people.find(connection, email)
        link = logins.create_link(connection, settings, person)
    if as_json:
        seconds = int(logins.LINK_LASTS.total_seconds())
        print_json({"link": link, "name": person.name, "role": person.role, "seconds": seconds})
    else:
        out.print(link, soft_wrap=True, highlight=False, markup=False)
        err.print(
            f"For {person.name}, role {person.role}. Works once, within ten minutes.", highlight=False, markup=False
        )


@app.command("list")
@tells_errors
def list_people(as_json: JsonFlag = False) -> None:
    """List the people who can log in."""
    from core import people

    _, database = open_platform()
    with database.connect() as connection:
        rows = people.list_people(connection)
    if as_json:
        print_json([asdict(person) for person in rows])
        return
    if not rows:
        err.print("No people yet. Add one with `tutorq people add`.")
        return
    table = plain_table("name", "e-mail", "role", "state", "tutors", "last seen", folded=("name", "last seen"))
    for person in rows:
        state = "active" if person.is_active else "shut out"
        tutors = str(person.tutors) if person.tutors else ""
        table.add_row(person.name, person.email, person.role, state, tutors, _minute(person.last_seen_at))
    print_table(table)


@app.command("add")
@tells_errors
def add(
    email: Email,
    name: Annotated[str, typer.Option(metavar="TEXT", help="Name in the audit log and the dashboard.")],
    role: RoleText = "read",
    as_json: JsonFlag = False,
) -> None:
    """Add a person who can log in."""
    from core import people

    wanted = _role(role or "")
    _, database = open_platform()
    with database.connect() as connection:
        person = people.add(connection, email, name, wanted)
    _tell(person, as_json)


@app.command("change")
@tells_errors
def change(
    email: Email,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="New name.")] = None,
    new_email: Annotated[
        str | None,
        typer.Option("--email", metavar="EMAIL", help="New e-mail address for log-in."),
    ] = None,
    role: RoleText = None,
    active: Annotated[
        bool | None,
        typer.Option("--active/--shut-out", help="Allow log-in again, or block log-in and end all sessions."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a person. Changes apply from the next request."""
    from core import people

    wanted = _role(role) if role else None
    _, database = open_platform()
    with database.connect() as connection:
        person = people.change(connection, email, name=name, new_email=new_email, role=wanted, is_active=active)
    _tell(person, as_json)


@app.command("remove")
@tells_errors
def remove(email: Email) -> None:
    """Remove a person and end their sessions. The audit log keeps their actions."""
    from core import people

    _, database = open_platform()
    with database.connect() as connection:
        person = people.remove(connection, email)
    out.print(f"{person.name} ({person.email}) was removed.", highlight=False, markup=False)


@app.command("team")
@tells_errors
def team(
    email: Email,
    add: Tutors = None,
    remove: Tutors = None,
    as_json: JsonFlag = False,
) -> None:
    """Add or remove tutors of a person, and list their tutors. Coaches edit only cases of their tutors."""
    from core import people

    _, database = open_platform()
    with database.connect() as connection:
        person = people.find(connection, email)
        people.change_team(connection, person, give=_tutors(add or ()), take=_tutors(remove or ()))
        tutors = people.team(connection, person)
    if as_json:
        print_json([{"tutor_id": str(tutor_id), "name": name} for tutor_id, name in tutors])
        return
    if not tutors:
        err.print(f"{person.name} has no tutors. Add one with --add TUTOR.", highlight=False, markup=False)
    for tutor_id, name in tutors:
        out.print(f"{tutor_id}  {name or ''}".rstrip(), highlight=False, markup=False)


@app.command("sessions")
@tells_errors
def sessions(email: OptionalEmail = None, as_json: JsonFlag = False) -> None:
    """List logged-in browsers of everyone or of one person."""
    from core import browser_sessions, people

    _, database = open_platform()
    with database.connect() as connection:
        person = people.find(connection, email) if email else None
        rows = browser_sessions.list_open(connection, person)
    if as_json:
        print_json([asdict(session) for session in rows])
        return
    if not rows:
        err.print("Nobody is logged in.")
        return
    folded = ("name", "logged in", "last used", "address", "browser")
    table = plain_table("number", "name", "role", "by", "logged in", "last used", "address", "browser", folded=folded)
    for session in rows:
        when = (_minute(session.created_at), _minute(session.last_seen_at))
        browser = (session.address or "", _browser(session.user_agent or ""))
        table.add_row(str(session.browser_session_id), session.name, session.role, session.opened_by, *when, *browser)
    print_table(table)


@app.command("log-out")
@tells_errors
def log_out(
    email: OptionalEmail = None,
    number: Annotated[
        int | None,
        typer.Option("--session", metavar="NUMBER", help="Number of the session in `tutorq people sessions`."),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="All sessions, including those opened with keys.")
    ] = False,
) -> None:
    """End one session, all sessions of a person, or all sessions. People can log in again."""
    from core import browser_sessions, people

    if [email is not None, number is not None, everybody].count(True) != 1:
        raise TutorqError("say which sessions to end: EMAIL, --session NUMBER or --everybody")
    _, database = open_platform()
    with database.connect() as connection:
        person = people.find(connection, email) if email else None
        ended = browser_sessions.end(connection, person, session_id=number)
    if number is not None and not ended:
        raise TutorqError(f"there is no open session {number}; `tutorq people sessions` lists them")
    out.print(f"{plural(ended, 'session')} ended.")


def _browser(user_agent: str) -> str:
    """Its name; of other programs, what they call themselves first."""
    named = (name for mark, name in BROWSERS.items() if f"{mark}/" in user_agent)
    return next(named, user_agent.partition(" ")[0])


def _tutors(names: Sequence[str]) -> "dict[str, UUID]":
    """Ids as the marketplace or tutorq writes them."""
    from ingest.ids import entity_uuid

    try:
        return {name: entity_uuid(name) for name in names}
    except ValueError as error:
        raise TutorqError(f"a tutor id must not be empty: {error}") from error


def _role(text: str) -> "Role":
    from core.roles import PERSON_ROLES, Role

    if text not in PERSON_ROLES:
        raise TutorqError(f"role {text!r} is not one of {', '.join(PERSON_ROLES)}")
    return Role(text)


def _tell(person: "Person", as_json: bool) -> None:
    if as_json:
        print_json(asdict(person))
        return
    state = "" if person.is_active else ", shut out"
    out.print(f"{person.name} ({person.email}): role {person.role}{state}", highlight=False, markup=False)


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""
