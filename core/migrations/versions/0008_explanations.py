"""Calls of the language model that explains matches: their budget, and one call at a time for one text."""

from alembic import op

revision = "0008"
down_revision = "0007"

CALLS = """
create table app.explanation_calls (
    call_id bigint generated always as identity primary key,
    cache_key text not null,
    started_at timestamptz not null default clock_timestamp(),
    ends_at timestamptz not null,
    ended_at timestamptz,
    outcome text check (outcome in ('written', 'unusable', 'failed')),
    reason text
);
create index on app.explanation_calls (started_at);
comment on table app.explanation_calls is
    'Calls of the language model that explains matches, one row each: counted against the daily budget, and looked at '
    'so that no two are made for one text.';
comment on column app.explanation_calls.ends_at is 'When it is over at the latest, even if its process died.';
comment on column app.explanation_calls.outcome is 'Null while it is under way, and if its process died.';
comment on column app.explanation_calls.reason is 'Why there is no text.';
"""

GRANTS = """
grant select, insert, update on app.explanation_calls to tutorq_api;
grant select, insert on app.explanations to tutorq_api;
"""


def upgrade() -> None:
    op.execute(CALLS)
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("revoke all on app.explanations from tutorq_api; drop table app.explanation_calls")
