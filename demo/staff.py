"""Who looks after the tutors of the made-up marketplace: a coach, and a lead who decides appeals."""

from dataclasses import dataclass

import psycopg

from core import people
from core.people import Person
from core.roles import Role

# A dozen: some whose case is open, and some of whom nothing is said.
TEAM = """
(
    select tutor_id from marts.tutor_scores
    where is_active and attention order by harm_sessions desc nulls last, tutor_id limit 4
)
union all
(
    select tutor_id from marts.tutor_scores
    where is_active and not attention order by sessions_90d desc, tutor_id limit 8
)
"""


@dataclass(frozen=True, slots=True)
class Staff:
    """The made-up people who log in."""

    coach: Person
    lead: Person


def add_staff(connection: psycopg.Connection) -> Staff:
    """Make both known, unless they are, and give the coach a team, unless there is one."""
    known = {person.email: person for person in people.list_people(connection)}

    def one(name: str, role: Role) -> Person:
        email = f"{name.lower().replace(' ', '.')}@example.org"
        return known.get(email) or people.add(connection, email, name, role)

    coach, lead = one("Nora Quinn", Role.COACH), one("Lea Martin", Role.LEAD)
    if not people.team(connection, coach):
        give = {str(tutor_id): tutor_id for (tutor_id,) in connection.execute(TEAM).fetchall()}
        people.change_team(connection, coach, give=give, take={})
    return Staff(coach=people.find(connection, coach.email), lead=lead)
