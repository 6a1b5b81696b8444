"""Who may decide an appeal: a lead or an admin, as a person, who has had no part in what it is about.

Directive (EU) 2024/2831 has a human being review such decisions (docs/fairness.md). A key is no person, and whoever
excused, corrected or handled the case would judge their own work.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from core.audit import Action
from core.people import number_of
from core.roles import Role

NO_PERSON = "A person decides. Log in under your own name."
NO_LEAD = "Leads and admins decide appeals."
SENT_IT = "You sent this appeal for the tutor. Somebody else decides."
MADE_LINK = "It was sent by a link that you made. Somebody else decides."
TOUCHED_IT = "You excused or changed one of these sessions. Somebody else decides."
HAS_CASE = "You look after the tutor's case. Somebody else decides."
TALKED = "You opened, handled or closed a case of this tutor. Somebody else decides."

# A person's number stands in the log behind the name, which may have changed since.
OF_ACTOR = "right(actor, length($1)) = $1"
TOUCHED = f"""
select exists (
    select from app.audit_log
    where subject_kind = 'session' and subject_id = any($2::text[]) and action = any($3::text[]) and {OF_ACTOR}
)
"""
BY_HAND = (
    Action.EXCUSE_ADD,
    Action.EXCUSE_REMOVE,
    Action.SESSION_CORRECT,
    Action.SESSION_OVERRIDE,
    Action.RESCHEDULE_OVERRIDE,
    Action.SESSION_DELETE,
)
# Cases that were open within a quarter before the appeal, or since.
CASES = """
select
    coalesce(bool_or(cases.owner_id = $1 and cases.closed_at is null), false),
    coalesce(bool_or(exists (
        select from app.case_events as events
        where events.case_id = cases.case_id
            and events.person_id = $1
            and events.kind in ('opened', 'contact', 'closed')
    )), false)
from app.cases as cases
where cases.tutor_id = $2::text::uuid
    and coalesce(cases.closed_at, 'infinity') > $3::text::timestamptz - interval '90 days'
"""


def sent_by(created_by: str, caller: AnyCaller) -> bool:
    """Whether the caller sent the appeal: a person by their number, a program by the name of its keys."""
    person_id = getattr(caller, "person_id", None)
    return created_by == caller.actor if person_id is None else created_by.endswith(number_of(person_id))


async def why_not(
    connection: Any, appeal: Mapping[str, Any], session_ids: Sequence[object], caller: AnyCaller
) -> str | None:
    """Why the caller may not decide; None if they may.

    Args:
        appeal: its `tutor_id` (or `tutor` with one), `created_at`, `created_by` and `link_made_by`.
        session_ids: what it is about, and what would be changed.
    """
    if caller.role not in (Role.LEAD, Role.ADMIN):
        return NO_LEAD
    if not isinstance(caller, BrowserCaller) or caller.person_id is None:
        return NO_PERSON
    suffix = number_of(caller.person_id)
    if sent_by(appeal["created_by"], caller):
        return SENT_IT
    if str(appeal["link_made_by"]).endswith(suffix):
        return MADE_LINK
    ids = [str(each) for each in session_ids]
    if await connection.fetchval(TOUCHED, suffix, ids, [action.value for action in BY_HAND]):
        return TOUCHED_IT
    tutor_id = appeal["tutor"]["tutor_id"] if "tutor" in appeal else appeal["tutor_id"]
    owns, handled = await connection.fetchrow(CASES, caller.person_id, str(tutor_id), str(appeal["created_at"]))
    return HAS_CASE if owns else TALKED if handled else None
