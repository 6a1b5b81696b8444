"""The weekly report: the statement of the mail, with the publication beside it."""

import asyncio
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic_core import from_json, to_json

from api.database import VERSION, Marts, Statement
from api.problems import NotFoundError, NotPublishedError
from api.publication import META_SQL
from api.text_writing import TextDesk
from reports import narrative
from reports.weekly import Week, described, finished
from reports.weekly_sections import FACTS

# Enough to look up a text that is there. One that is not is asked for, and stands in the next answer.
WORDS_SECONDS = 0.5

AS_OF = "select as_of::text from marts.publication"
REPORT = f"""
select
    {VERSION},
    json_build_object('facts', weekly.facts, 'meta', json_build_object({META_SQL}))
from marts.publication
cross join ({FACTS}) as weekly
"""


class WeeklyReports:
    """Reads weekly reports.

    Raises (every method):
        NotPublishedError: there is no publication yet.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, marts: Marts, texts: TextDesk, timezone: str) -> None:
        self._marts = marts
        self._texts = texts
        self._timezone = timezone

    async def report(self, wanted: Week | None) -> bytes:
        """A `WeeklyReportResponse` of this week, or else of the last whole one before the as-of day.

        Raises:
            NotFoundError: the week begins after the as-of day.
        """
        as_of = date.fromisoformat(await self._marts.version(AS_OF))
        newest = Week.of(as_of)
        week = wanted or newest.after(-1)
        if week.starts_on > newest.starts_on:
            raise NotFoundError(f"The week begins after {as_of}, the day that the scores are for.")
        today = datetime.now(ZoneInfo(self._timezone)).date()
        found = await self._marts.read(Statement(REPORT, (week.starts_on, today, self._timezone)))
        if found.body is None:
            raise NotPublishedError("The first run has not finished.")
        body = from_json(found.body)
        told = narrative.told(described(week), body["facts"])
        deadline = asyncio.get_running_loop().time() + WORDS_SECONDS
        written = await self._texts.write(told.task(), told.texts, deadline)
        words = told.narrative(written.texts, written.source)
        following = week.after(1)
        return to_json(
            {
                "data": {
                    "week": described(week) | {"is_over": week.ends_on < as_of},
                    "previous": week.after(-1).name,
                    "following": following.name if following.starts_on <= newest.starts_on else None,
                    **finished(body["facts"], words),
                },
                "meta": body["meta"],
            }
        )
