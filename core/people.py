"""People who use tutorq (`app.people`) and their tutors (`app.person_tutors`), as an operator sees and changes them."""

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from core import audit
from core.audit import Action
from core.errors import TutorqError
from core.roles import PERSON_ROLES, Role

EMAIL = re.compile(r"[!-~]+@[!-~]+")
SUBJECT = "person"


@dataclass(frozen=True, slots=True)
class Person:
    """One row of `app.people`; `tutors` is how many tutors are theirs."""

    person_id: int
    name: str
    email: str
    role: Role
    is_active: bool
    created_at: datetime
    last_seen_at: datetime | None
    tutors: int

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return actor_of(self.name, self.person_id)


COLUMNS = """
person_id, name, email, role, is_active, created_at, last_seen_at,
(select count(*) from app.person_tutors as theirs where theirs.person_id = people.person_id) as tutors
"""
ADD = f"""
insert into app.people (name, email, role) values (%(name)s, %(email)s, %(role)s)
on conflict (lower(email)) do nothing
returning {COLUMNS}
"""
CHANGE = f"""
update app.people set
    name = %(name)s, email = %(email)s, role = %(role)s, is_active = %(is_active)s,
    oidc_subject = case when not %(is_anew)s then oidc_subject end
where person_id = %(person_id)s
returning {COLUMNS}
"""
FIND = f"select {COLUMNS} from app.people where lower(email) = lower(%(email)s)"
SUBJECT_OF = "select oidc_subject from app.people where person_id = %s"
END_SESSIONS = "delete from app.browser_sessions where person_id = %s"
# $1: whose, $2: closed ones too, $3: as whom, $4: the person's name. Numbered parameters, as asyncpg wants them in the
# API. Locked in the order in which scores lock them.
GIVE_CASES_BACK = """
with theirs as (
    select case_id from app.cases
    where owner_id = $1 and (closed_at is null or $2)
    order by tutor_id, case_id
    for update
),

given as (
    update app.cases
    set
        owner_id = null, state = case state when 'assigned' then 'new' else state end,
        version = version + 1, changed_at = now()
    from theirs
    where cases.case_id = theirs.case_id
    returning cases.case_id, cases.version
)

insert into app.case_events (case_id, kind, actor, version, details)
select
    case_id, 'changed', $3, version,
    jsonb_build_object('owner', jsonb_build_object('from', $4::text, 'to', null))
from given
returning case_id
"""
FORGET_MAIL = """
delete from app.email_reports where kind in ('log_in_link', 'notification') and lower(recipient) = lower(%s)
"""
IS_TUTOR = """
select exists (select from raw.tutors where tutor_id = %(id)s)
    or exists (select from raw.sessions where tutor_id = %(id)s)
"""
# Locked, so that of two who leave at once the second one sees that the first has gone.
ADMINS = "select person_id from app.people where role = 'admin' and is_active order by person_id for update"
GIVE = "insert into app.person_tutors (person_id, tutor_id) values (%s, %s) on conflict do nothing"
TAKE = "delete from app.person_tutors where person_id = %s and tutor_id = %s"
TEAM = """
select theirs.tutor_id, tutors.name from app.person_tutors as theirs left join raw.tutors as tutors using (tutor_id)
where theirs.person_id = %s
order by tutors.name, theirs.tutor_id
"""


def actor_of(name: str, person_id: int) -> str:
    """A person as the audit log names them: by number, too, since two may have one name."""
    return f"{name} {number_of(person_id)}"


def number_of(person_id: int) -> str:
    """What tells a person in the audit log, whose name may have changed since."""
    return f"(person {person_id})"


def add(connection: psycopg.Connection, email: str, name: str, role: Role, *, actor: str | None = None) -> Person:
    """Make a person known.

    Raises:
        TutorqError: the address is none or is known already, the name is empty, or the role is one of keys.
    """
    values = _checked({"name": name, "email": email, "role": role})
    with connection.transaction():
        person = _one(connection, ADD, values)
        if person is None:
            raise _is_known(email)
        _note(connection, Action.PERSON_ADD, person, actor, {"email": person.email, "role": person.role})
    return person


def find(connection: psycopg.Connection, email: str) -> Person:
    """The person with this address, in any case of its letters.

    Raises:
        TutorqError: there is none.
    """
    person = _one(connection, FIND, {"email": email.strip()})
    if person is None:
        raise TutorqError(f"nobody is known as {email!r}; `tutorq people list` shows all, `add` adds somebody")
    return person


def with_id(connection: psycopg.Connection, person_id: int) -> Person | None:
    """The person with this number; None if they were removed."""
    return _one(connection, f"select {COLUMNS} from app.people where person_id = %(id)s", {"id": person_id})


def list_people(connection: psycopg.Connection) -> Sequence[Person]:
    """Everybody, by name."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(f"select {COLUMNS} from app.people order by name, person_id").fetchall()


def change(
    connection: psycopg.Connection,
    email: str,
    *,
    name: str | None = None,
    new_email: str | None = None,
    role: Role | None = None,
    is_active: bool | None = None,
    actor: str | None = None,
) -> Person:
    """Change what is given. It holds from the person's next request on. With an address, also the same one, the OpenID
    provider's name for them is forgotten, and found anew by address. Who is shut out, or may only read from then on,
    gives their open cases back.

    Raises:
        TutorqError: nobody has this address, somebody has the new one, no admin would be left, or what `add` raises
            it for.
    """
    with connection.transaction():
        before = _locked(connection, email, ends=is_active is False)
        wanted = {"name": name, "email": new_email, "role": role, "is_active": is_active}
        changed = {key: value for key, value in wanted.items() if value is not None}
        known = {key: getattr(before, key) for key in wanted}
        values = _checked({**known, **changed}) | {"person_id": before.person_id, "is_anew": new_email is not None}
        (subject,) = connection.execute(SUBJECT_OF, [before.person_id]).fetchone() or (None,)
        if values["role"] != Role.ADMIN or not values["is_active"]:
            _keep_an_admin(connection, before)
        try:
            with connection.transaction():
                after = _one(connection, CHANGE, values)
        except psycopg.errors.UniqueViolation as error:
            raise _is_known(values["email"]) from error
        assert after is not None, "it was found in this transaction"
        differs: dict[str, object] = {
            key: {"from": known[key], "to": getattr(after, key)} for key in wanted if known[key] != getattr(after, key)
        }
        if subject is not None and new_email is not None:
            differs["oidc_subject"] = {"from": subject, "to": None}
        if not after.is_active or "email" in differs:
            # Somebody else may read the mail of the old address.
            connection.execute("delete from app.login_tokens where person_id = %s", [after.person_id])
        if not after.is_active or after.role == Role.READ:
            given = _give_cases_back(connection, after, actor)
            if given:
                differs["cases_given_back"] = given
        if differs:
            _note(connection, Action.PERSON_CHANGE, after, actor, differs)
    return after


def remove(connection: psycopg.Connection, email: str, *, actor: str | None = None) -> Person:
    """Forget a person, their team, their log-ins and the mail about them; their cases are nobody's then. The audit log
    and the events of cases keep what they did, and the log what was said of them when they were added or changed.

    Raises:
        TutorqError: nobody has this address, or no admin would be left.
    """
    with connection.transaction():
        person = _locked(connection, email, ends=True)
        _keep_an_admin(connection, person)
        given = _give_cases_back(connection, person, actor, closed_too=True)
        connection.execute("delete from app.people where person_id = %s", [person.person_id])
        connection.execute(FORGET_MAIL, [person.email])
        told = {"role": person.role} | ({"cases_given_back": given} if given else {})
        _note(connection, Action.PERSON_REMOVE, person, actor, told)
    return person


def team(connection: psycopg.Connection, person: Person) -> list[tuple[UUID, str | None]]:
    """Tutors of a person, with their names."""
    return connection.execute(TEAM, [person.person_id]).fetchall()


def change_team(
    connection: psycopg.Connection,
    person: Person,
    *,
    give: Mapping[str, UUID],
    take: Mapping[str, UUID],
    actor: str | None = None,
) -> None:
    """Make tutors theirs, or no longer theirs; by what the operator called them.

    Raises:
        TutorqError: a tutor to be given is unknown.
    """
    with connection.transaction():
        for name, tutor_id in give.items():
            if connection.execute(IS_TUTOR, {"id": tutor_id}).fetchone() != (True,):
                raise TutorqError(f"there is no tutor {name!r}; nothing was changed")
        given = [str(each) for each in give.values() if connection.execute(GIVE, [person.person_id, each]).rowcount]
        taken = [str(each) for each in take.values() if connection.execute(TAKE, [person.person_id, each]).rowcount]
        if given or taken:
            _note(connection, Action.PERSON_TEAM, person, actor, {"given": given or None, "taken": taken or None})


def ensure_local(connection: psycopg.Connection) -> Person | None:
    """Who runs tutorq on this machine, as a person: the first admin, if there is none yet. None if somebody else is, or
    an admin has shut them out since, or given them less."""
    user = audit.operator_name()
    email = f"{user}@localhost" if EMAIL.fullmatch(f"{user}@localhost") else "operator@localhost"
    known = _one(connection, FIND, {"email": email})
    if known is not None:
        return known if known.is_active and known.role == Role.ADMIN else None
    with connection.transaction():
        if connection.execute(ADMINS).fetchone() is not None:
            return None
        return add(connection, email, _full_name() or user, Role.ADMIN)


def _full_name() -> str:
    """As the machine knows the user of the process; empty if it does not."""
    try:
        return pwd.getpwuid(os.getuid()).pw_gecos.partition(",")[0].strip()
    except KeyError:
        return ""


def _checked(values: dict[str, object]) -> dict[str, object]:
    name, email, role = str(values["name"]).strip(), str(values["email"]).strip(), values["role"]
    if not name:
        raise TutorqError("a person needs a name, for example --name 'Ann Lee'")
    if not EMAIL.fullmatch(email):
        raise TutorqError(f"{email!r} is no e-mail address")
    if role not in PERSON_ROLES:
        raise TutorqError(f"role {str(role)!r} is not one of {', '.join(PERSON_ROLES)}")
    return {**values, "name": name, "email": email, "role": str(role)}


def _locked(connection: psycopg.Connection, email: str, *, ends: bool) -> Person:
    """The person, as nobody else changes them now; with their sessions ended. These first, and admins before others: in
    the order in which others lock them.

    Raises:
        TutorqError: there is none.
    """
    person = find(connection, email)
    if ends:
        # Not only let in no more: nothing is left that would let them in when they are active again.
        connection.execute(END_SESSIONS, [person.person_id])
    connection.execute(ADMINS)
    connection.execute("select from app.people where person_id = %s for update", [person.person_id])
    return find(connection, email)


def _keep_an_admin(connection: psycopg.Connection, leaves: Person) -> None:
    admins = [person_id for (person_id,) in connection.execute(ADMINS)]
    if admins == [leaves.person_id]:
        raise TutorqError(f"{leaves.email} is the only admin; make somebody else one first: --role admin")


def _give_cases_back(
    connection: psycopg.Connection, person: Person, actor: str | None, *, closed_too: bool = False
) -> list[int]:
    """Nobody waits for somebody who cannot work on them any more. Returns the numbers of the cases."""
    values = [person.person_id, closed_too, actor or audit.operator(), person.name]
    with psycopg.RawCursor(connection) as cursor:
        return sorted(case_id for (case_id,) in cursor.execute(GIVE_CASES_BACK, values))


def _one(connection: psycopg.Connection, query: str, values: Mapping[str, object]) -> Person | None:
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(query, values).fetchone()


def _is_known(email: object) -> TutorqError:
    return TutorqError(f"{email} is known already; `tutorq people change` changes them")


def _note(
    connection: psycopg.Connection, action: Action, person: Person, actor: str | None, details: Mapping[str, object]
) -> None:
    entry = audit.Entry(
        actor or audit.operator(), action, SUBJECT, str(person.person_id), {"name": person.name, **details}
    )
    audit.record(connection, entry)
