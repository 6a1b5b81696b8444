"""`tutorq people` and `login-link`: who logs in to the dashboard, whose tutors are whose, and who is logged in."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, tells_errors
from core.errors import TutorqError

if TYPE_CHECKING:
    from uuid import UUID

    from core.people import Person
    from core.roles import Role

login_app = typer.Typer()
app = typer.Typer(help="People who log in to the dashboard.", no_args_is_help=True)

EMAIL = typer.Argument(metavar="EMAIL", help="Their e-mail address.")
Email = Annotated[str, EMAIL]
OptionalEmail = Annotated[str | None, EMAIL]
RoleText = Annotated[
    str | None,
    typer.Option(
        "--role",
        metavar="ROLE",
        help="read looks; coach changes things for their own tutors, lead for all, admin everything.",
    ),
]
Tutors = Annotated[list[str] | None, typer.Option(metavar="TUTOR", help="Id of a tutor; may be repeated.")]


@login_app.command("login-link")
@tells_errors
def login_link(email: Email, as_json: JsonFlag = False) -> None:
    """Print a link that logs one browser of a person in to the dashboard: once, and within ten minutes."""
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
    """List everybody who is known."""
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
    table = plain_table("name", "e-mail", "role", "state", "tutors", "last seen")
    for person in rows:
        state = "active" if person.is_active else "shut out"
        tutors = str(person.tutors) if person.tutors else ""
        table.add_row(person.name, person.email, person.role, state, tutors, _minute(person.last_seen_at))
    out.print(table)


@app.command("add")
@tells_errors
def add(
    email: Email,
    name: Annotated[str, typer.Option(metavar="TEXT", help="Their name, as the audit log and the dashboard show it.")],
    role: RoleText = "read",
    as_json: JsonFlag = False,
) -> None:
    """Make a person known, so that they can log in."""
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
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Another name.")] = None,
    new_email: Annotated[
        str | None,
        typer.Option("--email", metavar="EMAIL", help="Another address; log-in goes by it anew."),
    ] = None,
    role: RoleText = None,
    active: Annotated[
        bool | None,
        typer.Option("--active/--shut-out", help="Let them in again; or end their sessions, and open none."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a person. It holds from their next request on."""
    from core import people

    wanted = _role(role) if role else None
    _, database = open_platform()
    with database.connect() as connection:
        person = people.change(connection, email, name=name, new_email=new_email, role=wanted, is_active=active)
    _tell(person, as_json)


@app.command("remove")
@tells_errors
def remove(email: Email) -> None:
    """Forget a person and end their sessions. The audit log keeps what they did."""
    from core import people

    _, database = open_platform()
    with database.connect() as connection:
        person = people.remove(connection, email)
    out.print(f"{person.name} ({person.email}) is removed.", highlight=False, markup=False)


@app.command("team")
@tells_errors
def team(
    email: Email,
    add: Tutors = None,
    remove: Tutors = None,
    as_json: JsonFlag = False,
) -> None:
    """List the tutors of a person, after adding or removing some. A coach changes things for these only."""
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
        err.print(f"{person.name} has no tutors; --add gives them some.", highlight=False, markup=False)
    for tutor_id, name in tutors:
        out.print(f"{tutor_id}  {name or ''}".rstrip(), highlight=False, markup=False)


@app.command("sessions")
@tells_errors
def sessions(email: OptionalEmail = None, as_json: JsonFlag = False) -> None:
    """List browsers that are logged in: everybody's, or those of one person."""
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
    table = plain_table("number", "name", "role", "by", "logged in", "last used", "address", "browser")
    for session in rows:
        when = (_minute(session.created_at), _minute(session.last_seen_at))
        browser = (session.address or "", session.user_agent or "")
        table.add_row(str(session.browser_session_id), session.name, session.role, session.opened_by, *when, *browser)
    out.print(table)


@app.command("log-out")
@tells_errors
def log_out(
    email: OptionalEmail = None,
    number: Annotated[
        int | None, typer.Option("--session", metavar="NUMBER", help="One of them, as `sessions` lists it.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="All, also those that keys have opened.")] = False,
) -> None:
    """End the sessions of a person, one session, or all. They can log in again."""
    from core import browser_sessions, people

    if [email is not None, number is not None, everybody].count(True) != 1:
        raise TutorqError("say whose sessions end: an address, --session NUMBER, or --everybody")
    _, database = open_platform()
    with database.connect() as connection:
        person = people.find(connection, email) if email else None
        ended = browser_sessions.end(connection, person, session_id=number)
    if number is not None and not ended:
        raise TutorqError(f"there is no open session {number}; `tutorq people sessions` lists them")
    out.print(f"{ended} session{'' if ended == 1 else 's'} ended.")


def _tutors(names: Sequence[str]) -> "dict[str, UUID]":
    """Ids as the marketplace or tutorq writes them."""
    from ingest.ids import entity_uuid

    try:
        return {name: entity_uuid(name) for name in names}
    except ValueError as error:
        raise TutorqError(f"the id of a tutor cannot be empty: {error}") from error


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
