"""What became of cases: figures by month, owner and agreed action."""

from datetime import date

from pydantic import BaseModel, Field

from api.cases.schemas import AgreedAction, CloseReason, PersonNumber
from api.database import VERSION
from api.fields import Count, Fraction
from api.publication import META_SQL, Meta
from core.case_outcomes import FIGURES

MOST_MONTHS = 36

# $1: months.
OUTCOMES = f"""
with months as (
    select month::date as month
    from marts.publication
    cross join generate_series(
        date_trunc('month', publication.as_of::timestamp) - make_interval(months => $1::int - 1),
        date_trunc('month', publication.as_of::timestamp),
        interval '1 month'
    ) as month
),

cases as materialized (
    select months.month, cases.*
    from months
    inner join marts.cases as cases on date_trunc('month', cases.opened_on::timestamp)::date = months.month
),

reasons as (
    select reason, count(*) as cases from cases where reason is not null group by reason order by cases desc, reason
),

by_month as (
    select months.month, {FIGURES}
    from months left join cases on months.month = cases.month
    group by months.month order by months.month desc
),

by_owner as (
    select owner_id, owner_name, {FIGURES} from cases
    group by owner_id, owner_name order by opened desc, owner_name, owner_id
),

by_action as (
    select last_action as action, {FIGURES} from cases group by last_action order by opened desc, action
)

select
    {VERSION},
    json_build_object(
        'data', json_build_object(
            'all_cases', (select figures from (select {FIGURES} from cases) as figures),
            'reasons', coalesce((select json_agg(reasons) from reasons), '[]'),
            'by_month', coalesce((select json_agg(by_month) from by_month), '[]'),
            'by_owner', coalesce((select json_agg(by_owner) from by_owner), '[]'),
            'by_action', coalesce((select json_agg(by_action) from by_action), '[]')
        ),
        'meta', json_build_object({META_SQL})
    )
from marts.publication
"""


class OutcomeRange(BaseModel, extra="forbid"):
    """Which cases."""

    months: int = Field(
        default=6,
        ge=1,
        le=MOST_MONTHS,
        description="Number of months in which cases were opened, including that of `as_of`.",
    )


class OutcomeFigures(BaseModel):
    """Outcomes of some cases."""

    opened: Count
    closed: Count = Field(description="Closed by now.")
    contacted: Count = Field(description="With a contact by now.")
    median_days_to_contact: float | None = Field(
        ge=0, description="From the opening to the first contact, of those with one.", examples=[2.4]
    )
    known_after_30_days: Count = Field(description="Opened 30 days ago or earlier.")
    raised_after_30_days: Count = Field(description="Number of these with a concern of the case raised after 30 days.")
    share_raised_after_30_days: Fraction | None
    known_after_90_days: Count = Field(description="Opened 90 days ago or earlier.")
    raised_after_90_days: Count = Field(description="Number of these with a concern of the case raised after 90 days.")
    share_raised_after_90_days: Fraction | None


class ReasonCount(BaseModel):
    """Cases that were closed for one reason."""

    reason: CloseReason
    cases: Count


class MonthOutcomes(OutcomeFigures):
    """Cases opened in one month."""

    month: date = Field(description="Its first day.", examples=["2026-01-01"])


class OwnerOutcomes(OutcomeFigures):
    """Cases that one person owns, or owned until they were closed."""

    owner_id: PersonNumber | None = Field(description="Null: nobody.")
    owner_name: str | None = Field(examples=["Ann Lee"])


class ActionOutcomes(OutcomeFigures):
    """Cases with this as the last agreement."""

    action: AgreedAction | None = Field(description="Null: no contact yet.")


class Outcomes(BaseModel):
    """Outcomes of cases. They prove no effect: a tutor flagged by chance improves by chance."""

    all_cases: OutcomeFigures
    reasons: list[ReasonCount] = Field(description="Reasons of closed cases, most frequent first.")
    by_month: list[MonthOutcomes] = Field(description="Every month, the newest first.")
    by_owner: list[OwnerOutcomes] = Field(description="Most cases first.")
    by_action: list[ActionOutcomes] = Field(description="Most cases first.")


class OutcomesResponse(BaseModel):
    """Outcomes of the cases of some months."""

    data: Outcomes
    meta: Meta
