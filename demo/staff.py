"""Who looks after the tutors of the made-up marketplace: a coach, and a lead who decides appeals."""

from dataclasses import dataclass

import psycopg

from core import people
from core.people import Person
from core.roles import Role


@dataclass(frozen=True, slots=True)
class Staff:
    """The made-up people who log in."""

    coach: Person
    lead: Person


def add_staff(connection: psycopg.Connection) -> Staff:
    """Make both known, unless they are."""
    known = {person.email: person for person in people.list_people(connection)}

    def one(name: str, role: Role) -> Person:
        email = f"{name.lower().replace(' ', '.')}@example.org"
        return known.get(email) or people.add(connection, email, name, role)

    return Staff(coach=one("Nora Quinn", Role.COACH), lead=one("Lea Martin", Role.LEAD))
