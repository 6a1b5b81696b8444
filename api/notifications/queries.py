"""SQL of what a person is told. Its columns are the fields of its schema, so the two cannot differ."""

import asyncpg

from api.database import columns, with_app_tables
from api.notifications.schemas import NotificationPreferences
from api.problems import NotFoundError

# $2: the zone of who has chosen none. Who has chosen nothing is told nothing.
FIND = f"""
select json_build_object('data', one)
from (
    select {columns(NotificationPreferences, "shown")}
    from (
        select
            coalesce(wanted.kinds, '{{}}') as kinds,
            coalesce(wanted.told_by, 'nothing') as told_by,
            coalesce(wanted.is_daily, false) as is_daily,
            coalesce(wanted.only_own_tutors, true) as only_own_tutors,
            to_char(wanted.quiet_from, 'HH24:MI') as quiet_from,
            to_char(wanted.quiet_to, 'HH24:MI') as quiet_to,
            coalesce(wanted.time_zone, $2) as time_zone,
            people.email,
            wanted.chat_service
        from app.people
        left join app.notification_preferences as wanted on wanted.person_id = people.person_id
        where people.person_id = $1
    ) as shown
) as one
"""


class PreferenceQueries:
    """Reads `app.notification_preferences`."""

    def __init__(self, pool: asyncpg.Pool, zone: str) -> None:
        self._pool = pool
        self._zone = zone

    async def of(self, person_id: int) -> bytes:
        """A `NotificationPreferencesResponse`.

        Raises:
            NotFoundError: the person was removed meanwhile.
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        body = await with_app_tables(self._pool, lambda connection: connection.fetchval(FIND, person_id, self._zone))
        if body is None:
            raise NotFoundError("This person was removed.")
        assert isinstance(body, bytes)
        return body
