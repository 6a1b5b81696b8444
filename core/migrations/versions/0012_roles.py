"""A role for each kind of process, what it may do, and a schema in which analysts see no names."""

from alembic import op

revision = "0012"
down_revision = "0011"

# Roles belong to the server and serve all databases on it. Whoever migrates must be able to act as the three that own
# things or run processes; who made a role may grant it, to oneself as well.
ROLES = """
do $$
declare
    needed text;
    -- Until Postgres 15 every member of a role could take it and had its rights.
    is_old boolean := current_setting('server_version_num')::integer < 160000;
    taking text := case when is_old then 'member' else 'set' end;
    options text := case when is_old then '' else 'with inherit true, set true' end;
begin
    foreach needed in array array[
        'tutorq_ingest', 'tutorq_transform', 'tutorq_api', 'tutorq_analyst', 'tutorq_analyst_names'
    ] loop
        if not exists (select from pg_roles where rolname = needed) then
            begin
                execute format('create role %I nologin', needed);
            exception when duplicate_object or unique_violation then
                null;  -- another database of this server made it just now
            end;
        end if;
    end loop;
    foreach needed in array array['tutorq_ingest', 'tutorq_transform', 'tutorq_api'] loop
        if not (pg_has_role(needed, taking) and pg_has_role(needed, 'usage')) then
            begin
                execute format('grant %I to current_user %s', needed, options);
            exception when insufficient_privilege then
                raise insufficient_privilege using message = format(
                    'an administrator of the server must run first: grant %I to %I', needed, current_user
                );
            end;
        end if;
    end loop;
end
$$;
"""

# Made here, so that dbt needs no right to make schemas. What an earlier version's owner built goes to its new one.
TRANSFORM_OWNS = """
create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists marts;
create schema if not exists test_failures;
create schema analytics;
comment on schema analytics is 'The marts for analysts: every one under its name, with personal data masked.';

do $$
declare
    owned record;
begin
    for owned in
        select nspname as schema from pg_namespace
        where nspname in ('staging', 'intermediate', 'marts', 'test_failures', 'analytics')
    loop
        execute format('alter schema %I owner to tutorq_transform', owned.schema);
    end loop;
    for owned in
        select
            relnamespace::regnamespace as schema,
            relname as name,
            case relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
        from pg_class
        where
            relnamespace in ('staging'::regnamespace, 'intermediate'::regnamespace, 'marts'::regnamespace,
                'test_failures'::regnamespace)
            and relkind in ('r', 'p', 'v', 'm')
    loop
        execute format('alter %s %I.%I owner to tutorq_transform', owned.kind, owned.schema, owned.name);
    end loop;
    for owned in
        select oid::regprocedure as signature from pg_proc
        where pronamespace in ('staging'::regnamespace, 'intermediate'::regnamespace, 'marts'::regnamespace)
    loop
        execute format('alter routine %s owner to tutorq_transform', owned.signature);
    end loop;
end
$$;

-- Predictions are rewritten by putting a new partition in the place of the old one, which only an owner can.
grant usage, create on schema ml to tutorq_transform;
alter table ml.match_predictions owner to tutorq_transform;
do $$
declare
    part regclass;
begin
    -- Also what a run that died has left behind, which the next one drops.
    for part in
        select oid::regclass from pg_class
        where relnamespace = 'ml'::regnamespace and relkind = 'r' and relname ~ '^match_predictions_'
    loop
        execute format('alter table %s owner to tutorq_transform', part);
        -- Readers and writers come by way of the whole table.
        execute format('revoke all on %s from tutorq_api, tutorq_analyst', part);
    end loop;
end
$$;

alter default privileges for role tutorq_transform revoke execute on functions from public;
"""

INGEST = """
grant usage on schema raw to tutorq_ingest;
grant select, insert, update on raw.sessions, raw.reschedules, raw.tutors, raw.students to tutorq_ingest;
do $$
begin
    -- A right that Postgres has had since 17; migration 0019 does without it.
    if current_setting('server_version_num')::integer >= 170000 then
        execute 'grant maintain on raw.sessions, raw.reschedules, raw.tutors, raw.students to tutorq_ingest';
    end if;
end
$$;
grant select, insert, update on raw.quarantine, raw.refused_files to tutorq_ingest;
grant select, insert, update, delete on raw.landing_checksums, raw.unmoved_files to tutorq_ingest;
grant select, insert, update (moved_to) on raw.loads to tutorq_ingest;
grant insert on raw.changes to tutorq_ingest;
"""

TRANSFORM = """
grant usage on schema raw, app to tutorq_transform;
grant select on raw.sessions, raw.reschedules, raw.tutors, raw.students, raw.quarantine to tutorq_transform;
grant select, delete on raw.changes to tutorq_transform;
grant select on app.excuses to tutorq_transform;
grant usage on sequence app.publication_generation to tutorq_transform;

grant select, insert, update on ml.models, ml.prediction_buckets to tutorq_transform;
grant select, insert, update, delete on ml.session_predictions to tutorq_transform;
grant select, update on ml.prediction_version to tutorq_transform;
grant select, delete on ml.touched_people to tutorq_transform;

grant select, insert, update on app.email_reports to tutorq_transform;
grant select on app.mail_opt_outs, app.mail_suppressions to tutorq_transform;
grant select, insert, update, delete on app.report_switches, app.risk_alert_states, app.alert_conditions
    to tutorq_transform;
"""

# What earlier versions granted too much of. The views in analytics are granted as dbt makes them.
OTHERS = """
grant usage on schema marts to tutorq_api;
grant usage on schema analytics to tutorq_analyst;
revoke all on schema marts from tutorq_analyst;
revoke all on all tables in schema marts from tutorq_analyst;
revoke all on ml.touched_people from tutorq_analyst;
revoke all on ml.prediction_buckets, ml.session_predictions from tutorq_api;
revoke update on ml.match_predictions from tutorq_api;

revoke execute on function raw.log_change(), ml.note_touched(), ml.student_bucket(uuid) from public;
grant execute on function ml.student_bucket(uuid) to tutorq_transform, tutorq_api, tutorq_analyst;
"""

# Roles stay, since other databases may use them.
UNDO = """
grant execute on function raw.log_change(), ml.note_touched(), ml.student_bucket(uuid) to public;
grant select on ml.touched_people to tutorq_analyst;
grant select on ml.prediction_buckets, ml.session_predictions to tutorq_api;
grant update on ml.match_predictions to tutorq_api;
grant usage on schema marts to tutorq_analyst;
grant select on all tables in schema marts to tutorq_analyst;
drop schema analytics cascade;
alter default privileges for role tutorq_transform grant execute on functions to public;
reassign owned by tutorq_transform to current_user;
drop owned by tutorq_transform, tutorq_ingest;
"""


def upgrade() -> None:
    for block in (ROLES, TRANSFORM_OWNS, INGEST, TRANSFORM, OTHERS):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
