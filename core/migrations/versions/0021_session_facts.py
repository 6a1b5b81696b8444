"""What else is known of a session, and every move of it instead of one."""

from alembic import op

revision = "0021"
down_revision = "0020"

SESSIONS = """
alter table raw.sessions
    add column started_at timestamptz,
    add column cancelled_at timestamptz,
    add column reason_code text,
    add column technical_issue boolean;
comment on column raw.sessions.started_at is 'When the lesson really began.';
comment on column raw.sessions.cancelled_at is 'When the session was called off.';
comment on column raw.sessions.reason_code is 'Why it was cancelled or missed, as a short code.';
comment on column raw.sessions.technical_issue is 'Whether technical trouble disturbed it; null if nobody said.';
"""

# A column, and not an index over an expression: the merge joins by it, and null would equal nothing.
MOVES = """
create function raw.move_time(requested_at timestamptz, original_time timestamptz, new_time timestamptz)
returns timestamptz
language sql immutable parallel safe
return coalesce(requested_at, original_time, new_time, '-infinity');
comment on function raw.move_time(timestamptz, timestamptz, timestamptz) is
    'Tells the moves of one session apart: rows with another move_time are another move.';
revoke all on function raw.move_time(timestamptz, timestamptz, timestamptz) from public;
grant execute on function raw.move_time(timestamptz, timestamptz, timestamptz) to tutorq_ingest, tutorq_api;

alter table raw.reschedules
    add column move_time timestamptz not null
        -- raw.move_time, as an expression: a function would have to be granted to everybody who writes here.
        generated always as (coalesce(requested_at, original_time, new_time, timestamptz '-infinity')) stored,
    drop constraint reschedules_pkey,
    add primary key (session_id, move_time);
comment on table raw.reschedules is
    'One row per move of a session: its newest version. No foreign key: a move may arrive before its session.';
comment on column raw.reschedules.move_time is
    'Which move of the session it is: when it was asked for, else the start before it, else the start after it; '
    '-infinity if nothing of that is known.';
"""

# As the version before would have stored it: the move that its rule prefers.
UNDO = """
delete from raw.reschedules as lost
using raw.reschedules as kept
where kept.session_id = lost.session_id and kept.move_time <> lost.move_time and (
    raw.reschedule_version(kept.updated_at, kept.requested_at, to_jsonb(kept) - '{created_at, loaded_at}'::text[])
    > raw.reschedule_version(lost.updated_at, lost.requested_at, to_jsonb(lost) - '{created_at, loaded_at}'::text[])
);
alter table raw.reschedules drop constraint reschedules_pkey, drop column move_time, add primary key (session_id);
comment on table raw.reschedules is
    'At most one reschedule per session. No foreign key: a reschedule may arrive before its session.';
drop function raw.move_time(timestamptz, timestamptz, timestamptz);
alter table raw.sessions
    drop column started_at, drop column cancelled_at, drop column reason_code, drop column technical_issue;
"""


def upgrade() -> None:
    op.execute(SESSIONS)
    op.execute(MOVES)


def downgrade() -> None:
    op.execute(UNDO)
