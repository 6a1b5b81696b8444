"""Whether the newest session is so old that scores of the day that is set say nothing."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.database import Database, DatabaseRole
from core.settings import Settings

PAUSE = timedelta(days=30)
NEWEST = """
select (scheduled_time at time zone %(zone)s)::date from raw.sessions
where scheduled_time < (%(day)s::date + 1)::timestamp at time zone %(zone)s
order by scheduled_time desc limit 1
"""


def old_data(settings: Settings, database: Database) -> str | None:
    """In two sentences, what is wrong and what to do; None if sessions reach the day of the scores, or there are none.

    With `latest`, that day is the one of the sessions.
    """
    if settings.as_of == "latest":
        return None
    zone = settings.timezone
    day = datetime.now(ZoneInfo(zone)).date() if settings.as_of == "now" else date.fromisoformat(settings.as_of)
    with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        (newest,) = connection.execute(NEWEST, {"zone": zone, "day": day}).fetchone() or (None,)
    if newest is None or day - newest <= PAUSE:
        return None
    return (
        f"The newest session is of {newest}, and the day of the scores is {day}. To score historic data, write "
        "TUTORQ_AS_OF=latest into .env, or export it: every command needs it."
    )
