"""The tools that an assistant is given. Each reads one endpoint and passes on fields that are named here.

Names are masked, and what is not named here stays out: e-mail addresses, free texts, notes, codes of reasons, ids as
they were delivered.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

from core.concerns import ConcernName
from mcp_server.masks import Masks
from mcp_server.reader import Reader

Row = Mapping[str, Any]
Answer = dict[str, Any]

INSTRUCTIONS = """\
tutorq measures how reliable tutors are. These tools only read. Answers are computed every night; `as_of` is the day
they are for, and windows such as 90 days end with it. Rates and probabilities are fractions from 0 to 1 (0.15 is 15%).
A let-down is a session that the tutor moved, cancelled or missed, unless it was excused. `let_down_rate_90d` is as
counted; `let_down_rate_expected` is the estimate of the true rate, with a 90% range from `…_low` to `…_high`. A concern
is raised only if it is likely enough; say how sure it is, and call it a question to ask, not a verdict. Null means no
data, never zero. People have masks such as "Tutor 3f2a", the same in all answers of this session; `page` opens the
tutor in the dashboard, where people with a log-in see the name. Do not guess who somebody is.
"""
READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)

Limit = Annotated[int, Field(ge=1, le=50, description="Maximum number of rows.")]
TutorText = Annotated[str, Field(description='The tutor\'s name in answers ("Tutor 3f2a"), or tutor_id.')]
Concerns = Annotated[list[ConcernName] | None, Field(description="Any of these concerns is raised now.")]
RiskStatus = Literal["insufficient_data", "ok", "watch", "high_risk"]
RiskLevel = Literal["high", "medium", "low"]
Sort = Literal[
    "attention", "risk_probability", "harm_sessions", "let_down_rate_90d", "trend_30d", "quality_score",
    "stop_probability",
]  # fmt: skip

CONCERN = (
    "concern", "status", "superseded", "probability", "threshold", "trials", "events", "raw_rate", "expected", "low",
    "high", "sentence", "ending",
)  # fmt: skip
TUTOR = (
    "tutor_id", "subjects", "is_active", "attention", "concerns", "risk_status", "risk_status_since",
    "risk_probability", "sessions_90d", "let_downs_90d", "let_down_rate_90d", "let_down_rate_expected",
    "let_down_rate_low", "let_down_rate_high", "trend_30d", "quality_score", "rating_mean_90d", "ratings_90d",
    "planned_sessions_7d", "harm_sessions", "harm_students", "stop_probability",
)  # fmt: skip
UPCOMING = (
    "session_id", "scheduled_time", "subject", "duration_minutes", "is_first_meeting", "pair_sessions_before",
    "let_down_probability", "risk_level", "student_no_show_probability", "student_risk_level", "churn_probability",
    "first_session_risk",
)  # fmt: skip
OVERVIEW = (
    "active_tutors", "attention", "attention_began_today", "attention_ended_today", "concerns", "risk_status",
    "platform", "rules",
)  # fmt: skip
EXPLANATION = (
    "tutor_id", "risk_status", "risk_status_since", "risk_probability", "risk_threshold", "attention", "sentence",
    "quality_score", "components", "patterns",
)  # fmt: skip
CASE = (
    "case_id", "queue", "state", "reason", "priority", "due_on", "snoozed_until", "concerns", "opened_on",
    "contacted_at", "suggested_at", "reopened_at", "closed_at", "harm_sessions", "harm_students",
)  # fmt: skip


def picked(row: Row, *names: str) -> Answer:
    return {name: row[name] for name in names if name in row}


def make_server(reader: Reader, masks: Masks, dashboard: str) -> MCPServer:
    """A server whose tools read by this reader; `dashboard` is the address that pages are linked at."""
    server = MCPServer("tutorq", instructions=INSTRUCTIONS, version=version("tutorq"), log_level="WARNING")

    def who(row: Row) -> Answer:
        tutor_id = row["tutor_id"]
        return {"tutor": masks.tutor(tutor_id, row.get("name")), "page": f"{dashboard}/tutors/{tutor_id}"}

    @server.tool(annotations=READ_ONLY)
    async def overview(context: Context) -> Answer:
        """The platform today: active tutors, tutors who need attention by concern, the let-down rate of 90 days over
        all tutors, the rules behind a flag, the last weeks (oldest first; the newest may not be over), and the concerns
        raised last."""
        answer = await reader.get(context, "overview")
        data = answer["data"]
        return {
            **picked(answer["meta"], "as_of", "published_at"),
            **picked(data, *OVERVIEW),
            "weeks": data["weeks"][-12:],
            "newest_concerns": [{**who(row), **picked(row, *CONCERN, "raised_on")} for row in data["newest_concerns"]],
        }

    @server.tool(annotations=READ_ONLY)
    async def list_tutors(
        context: Context,
        concern: Concerns = None,
        needs_attention: Annotated[
            bool | None, Field(description="Only tutors with (true) or without (false) a raised concern.")
        ] = None,
        risk_status: Annotated[RiskStatus | None, Field(description="By the chance of being above the limit.")] = None,
        subject: Annotated[str | None, Field(description="A subject the tutor teaches, spelt exactly.")] = None,
        sort_by: Annotated[
            Sort, Field(description="`attention`: a raised concern first, then by sessions at risk.")
        ] = "attention",
        sort_order: Literal["desc", "asc"] = "desc",
        limit: Limit = 20,
    ) -> Answer:
        """Active tutors with their figures. `harm_sessions`: sessions of the next 7 days that the tutor is likely to
        let down. `trend_30d`: rate of the last 30 days minus the 30 before, above 0 is worse. `quality_score`: 0 to
        100, 100 is best. `stop_probability`: chance that the tutor stops within 60 days. `total` counts all matches."""
        answer = await reader.get(
            context, "tutors", concern=[name.value for name in concern] if concern else None,
            attention=needs_attention, risk_status=risk_status, subject=subject, is_active=True, sort_by=sort_by,
            sort_order=sort_order, limit=limit,
        )  # fmt: skip
        return {
            **picked(answer["meta"], "as_of", "total"),
            "tutors": [{**who(row), **picked(row, *TUTOR)} for row in answer["data"]],
        }

    @server.tool(annotations=READ_ONLY)
    async def explain_tutor(context: Context, tutor: TutorText) -> Answer:
        """Why one tutor has this status: each concern with its counts, estimate and chance, in words, and what ends it;
        patterns by weekday, time of day, subject and first lessons; the four components of the quality score (1 is
        best); and up to 50 sessions of 90 days that count against the tutor, newest first."""
        answer = await reader.get(context, "tutors", masks.id_of(tutor), "explanation")
        data = answer["data"]
        return {
            **picked(answer["meta"], "as_of"),
            **who(data),
            **picked(data, *EXPLANATION),
            "concerns": [picked(row, *CONCERN, "raised_on", "clears_on") for row in data["concerns"]],
            "counted_sessions": [
                picked(row, "kind", "counted_on", "subject", "notice_hours", "is_short_notice")
                for row in data["evidence_sessions"][:50]
            ],
        }

    @server.tool(annotations=READ_ONLY)
    async def upcoming_sessions(
        context: Context,
        risk_level: Annotated[RiskLevel | None, Field(description="Risk of a let-down by the tutor.")] = None,
        first_meetings_only: bool = False,
        tutor: Annotated[str | None, Field(description="The tutor's name in answers, or tutor_id.")] = None,
        limit: Limit = 20,
    ) -> Answer:
        """Planned sessions, most likely to be let down first: time (UTC), subject, the chance that the tutor moves,
        cancels or misses it, the chance that the student does not come, and for first meetings the chance that the
        student leaves afterwards."""
        answer = await reader.get(
            context, "sessions", "upcoming", risk_level=risk_level, is_first_meeting=first_meetings_only or None,
            tutor_id=masks.id_of(tutor) if tutor else None, limit=limit,
        )  # fmt: skip
        return {
            **picked(answer["meta"], "as_of", "total", "let_down_limit", "let_down_usual"),
            "sessions": [
                {
                    **who({"tutor_id": row["tutor_id"], "name": row["tutor_name"]}),
                    "student": masks.student(row["student_id"]),
                    **picked(row, *UPCOMING),
                }
                for row in answer["data"]
            ],
        }

    @server.tool(annotations=READ_ONLY)
    async def patterns(context: Context) -> Answer:
        """Slots (weekday, time of day, subject, first or later lessons) in which all tutors together let down more
        sessions than in others, in 180 days, most certain first. Patterns of one tutor are in explain_tutor. At most a
        tenth of the list is expected to be chance (`q_value`)."""
        answer = await reader.get(context, "overview")
        return {**picked(answer["meta"], "as_of"), "patterns": answer["data"]["patterns"]}

    @server.tool(annotations=READ_ONLY)
    async def calibration(
        context: Context,
        month: Annotated[str | None, Field(description="Month of the forecasts, such as 2026-07.")] = None,
        subject: Annotated[str | None, Field(description="The tutors' main subject, spelt exactly.")] = None,
    ) -> Answer:
        """How far to trust a flag: forecasts of Mondays against the outcomes of the next 30 days. `coverage` is how
        often the range contained the outcome, `right_share` the share of flagged tutors who were then above the limit,
        and `reliability` compares the forecast `above_share_expected` with
        `above_share`, by bands of that forecast (`probability` is of the true rate, another event)."""
        answer = await reader.get(context, "calibration", month=month, subject=subject)
        return {
            **picked(answer["meta"], "as_of"),
            **picked(answer["data"], "risk_threshold", "sentences", "totals", "reliability", "by_month"),
        }

    @server.tool(annotations=READ_ONLY)
    async def cases(
        context: Context,
        queue: Annotated[
            Literal["todo", "due", "waiting", "closed"] | None, Field(description="Default: all open cases.")
        ] = None,
        limit: Limit = 20,
    ) -> Answer:
        """Cases about tutors in the order of today's work, with the state of each and its raised concerns, in words.
        `queues` counts them: to do, due for a follow-up, waiting, closed. Answers omit notes and people's names."""
        answer = await reader.get(context, "cases", queue=queue, limit=limit)
        return {
            **picked(answer["meta"], "as_of", "today", "total", "queues"),
            "cases": [
                {
                    **who(row["tutor"]),
                    **picked(row, *CASE),
                    "has_owner": row["owner"] is not None,
                    "raised": [picked(one, "concern", "words", "probability", "raised_on") for one in row["raised"]],
                }
                for row in answer["data"]
            ],
        }

    @server.tool(annotations=READ_ONLY)
    async def todays_sessions(context: Context) -> Answer:
        """Sessions of the as-of day, by hour and in all: planned ones by the risk of a let-down, held ones, and those
        that tutors or others called off."""
        answer = await reader.get(context, "sessions", "today")
        return {**picked(answer["meta"], "as_of"), **picked(answer["data"], "timezone", "sessions", "totals", "hours")}

    return server
