"""Which version of a row wins: stated here, for files, the API and psql alike (decision 4)."""

from alembic import op

revision = "0020"
down_revision = "0019"

# Single expressions, which Postgres inlines: a call costs what its expression costs. JSON is made of versions that are
# equally new and differ, of no others; and once, because it is handed to a function that is not inlined.
RULE = """
create type raw.version as (updated_at timestamptz, then_by timestamptz, content jsonb);
comment on type raw.version is
    'A delivered version of a row. Of two, the larger wins, compared column by column: newest updated_at; then what '
    'raw.session_version and raw.reschedule_version say; then more filled fields, then the larger content (so jsonb is '
    'ordered). A total order: the order of arrival never changes what is stored.';

create function raw.session_version(updated_at timestamptz, status text, content jsonb) returns raw.version
language sql immutable parallel safe
return row(
    coalesce(updated_at, '-infinity'),
    case when status = 'scheduled' then timestamptz '-infinity' else timestamptz 'infinity' end,
    jsonb_strip_nulls(content)
)::raw.version;
comment on function raw.session_version(timestamptz, text, jsonb) is
    'The version of a session whose columns are `content`, with times in UTC. Without updated_at it is the oldest; of '
    'two as new, one with a final status wins over a scheduled one.';

create function raw.reschedule_version(updated_at timestamptz, requested_at timestamptz, content jsonb)
returns raw.version
language sql immutable parallel safe
return row(
    coalesce(updated_at, '-infinity'), coalesce(requested_at, '-infinity'), jsonb_strip_nulls(content)
)::raw.version;
comment on function raw.reschedule_version(timestamptz, timestamptz, jsonb) is
    'The version of a reschedule whose columns are `content`, with times in UTC. Of two as new, the one requested last '
    'wins.';

create function raw.content_verdict(incoming jsonb, stored jsonb) returns text
language plpgsql immutable parallel safe as $$
begin
    return case
        when incoming = stored then 'same'
        when incoming < stored then 'loses'
        when incoming @> stored then 'fills'
        else 'overrules'
    end;
end
$$;
comment on function raw.content_verdict(jsonb, jsonb) is 'What raw.verdict says of two versions that are equally new.';

create function raw.verdict(incoming raw.version, stored raw.version) returns text
language sql immutable parallel safe
return case
    when row(incoming.updated_at, incoming.then_by) > row(stored.updated_at, stored.then_by) then 'newer'
    when row(incoming.updated_at, incoming.then_by) < row(stored.updated_at, stored.then_by) then 'older'
    else raw.content_verdict(incoming.content, stored.content)
end;
comment on function raw.verdict(raw.version, raw.version) is
    'What becomes of a version that arrives. It wins if it is newer, fills (is as new, and only fills empty fields) or '
    'overrules (is as new, and contradicts what is stored). It is left out if it is the same, older (stale) or loses '
    '(is as new, and contradicts what is stored). Of two that contradict each other, the loser goes to quarantine.';
"""

# Of whole rows, for people. The zone, because JSON holds times as text; it keeps these two from being inlined.
OF_ROWS = """
create function raw.session_verdict(incoming raw.sessions, stored raw.sessions) returns text
language sql stable strict parallel safe set timezone = 'UTC'
return raw.verdict(
    raw.session_version(incoming.updated_at, incoming.status, to_jsonb(incoming) - '{created_at, loaded_at}'::text[]),
    raw.session_version(stored.updated_at, stored.status, to_jsonb(stored) - '{created_at, loaded_at}'::text[])
);

create function raw.reschedule_verdict(incoming raw.reschedules, stored raw.reschedules) returns text
language sql stable strict parallel safe set timezone = 'UTC'
return raw.verdict(
    raw.reschedule_version(
        incoming.updated_at, incoming.requested_at, to_jsonb(incoming) - '{created_at, loaded_at}'::text[]
    ),
    raw.reschedule_version(stored.updated_at, stored.requested_at, to_jsonb(stored) - '{created_at, loaded_at}'::text[])
);

comment on function raw.session_verdict(raw.sessions, raw.sessions) is
    'As raw.verdict, of rows with all columns that the table has; null if nothing is stored.';
comment on function raw.reschedule_verdict(raw.reschedules, raw.reschedules) is
    'As raw.verdict, of rows with all columns that the table has; null if nothing is stored.';
"""

OF_COLUMNS = """
    raw.session_version(timestamptz, text, jsonb), raw.reschedule_version(timestamptz, timestamptz, jsonb),
    raw.content_verdict(jsonb, jsonb), raw.verdict(raw.version, raw.version)
"""
# For people, who write by psql.
FUNCTIONS = f"""{OF_COLUMNS},
    raw.session_verdict(raw.sessions, raw.sessions), raw.reschedule_verdict(raw.reschedules, raw.reschedules)
"""


def upgrade() -> None:
    op.execute(RULE)
    op.execute(OF_ROWS)
    op.execute(f"revoke all on function {FUNCTIONS} from public")
    op.execute(f"grant execute on function {FUNCTIONS} to tutorq_ingest")
    op.execute(f"grant execute on function {OF_COLUMNS} to tutorq_api")


def downgrade() -> None:
    op.execute(f"drop function {FUNCTIONS}")
    op.execute("drop type raw.version")
