"""Where predictions are kept: of matches by bucket, of sessions; who was touched; and a version of it all."""

from alembic import op

revision = "0005"
down_revision = "0004"

BUCKETS = 16

# The table of 0001 was never written to: predictions begin here.
PREDICTIONS = """
drop table ml.match_predictions;

create function ml.student_bucket(student_id uuid) returns smallint
    language sql immutable strict parallel safe
    return get_byte(uuid_send(student_id), 15) % 16;
comment on function ml.student_bucket(uuid) is
    'The partition of ml.match_predictions that holds a student: the last byte of the id modulo 16.';

create table ml.match_predictions (
    bucket smallint not null,
    student_id uuid not null,
    tutor_id uuid not null,
    churn_probability real not null check (churn_probability between 0 and 1),
    risk_level text not null check (risk_level in ('low', 'medium', 'high')),
    compatibility_score real not null check (compatibility_score between 0 and 1),
    pace_mismatch real,
    style_mismatch real,
    communication_mismatch real,
    age_mismatch real,
    model_version text not null,
    predicted_at timestamptz not null default now(),
    primary key (bucket, student_id, tutor_id)
) partition by list (bucket);
create index match_predictions_tutor on ml.match_predictions (tutor_id);
comment on table ml.match_predictions is
    'One row per active student and active tutor. A bucket is rewritten by putting a new partition in the place of the '
    'old one, so readers never see it half full.';
comment on column ml.match_predictions.bucket is 'ml.student_bucket(student_id); name it when you look up a student.';

create table ml.prediction_buckets (
    bucket smallint primary key,
    model_version text not null,
    as_of date,
    pairs bigint not null,
    predicted_at timestamptz not null default now()
);
comment on table ml.prediction_buckets is
    'One row per bucket of ml.match_predictions: by which model, and on histories as of which day, it was last '
    'predicted as a whole. What is missing or older than the champion and the histories is out of date.';

create table ml.session_predictions (
    session_id uuid primary key,
    tutor_disruption_probability real not null check (tutor_disruption_probability between 0 and 1),
    risk_level text not null check (risk_level in ('low', 'medium', 'high')),
    model_version text not null,
    predicted_at timestamptz not null default now()
);
comment on table ml.session_predictions is
    'One row per scheduled session: will the tutor reschedule it, or not turn up?';

create table ml.prediction_version (
    only_row boolean primary key default true check (only_row),
    version bigint not null default 0,
    changed_at timestamptz not null default now()
);
insert into ml.prediction_version default values;
comment on table ml.prediction_version is
    'One row. Whoever writes predictions, or the people they are about, raises the version in the same transaction; '
    'readers cache by it.';

alter table ml.models add constraint models_kind_check check (kind in ('match', 'session'));
"""

TOUCHED = """
create table ml.touched_people (
    touch_id bigint generated always as identity primary key,
    entity text not null check (entity in ('student', 'tutor')),
    person_id uuid not null,
    noted_at timestamptz not null default now()
);
create index on ml.touched_people (person_id);
comment on table ml.touched_people is
    'People who changed since their pairs were predicted; noted by triggers in the writer''s own transaction, '
    'deleted when their pairs are predicted anew. A person may stand here more than once.';

-- With the rights of its owner: who may change people need not know of this table.
create function ml.note_touched() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
    if tg_op = 'DELETE' then
        execute format(
            'insert into ml.touched_people (entity, person_id) select %L, %I from old_rows', tg_argv[0], tg_argv[1]
        );
    else
        execute format(
            'insert into ml.touched_people (entity, person_id) select %L, %I from new_rows', tg_argv[0], tg_argv[1]
        );
    end if;
    return null;
end
$$;
comment on function ml.note_touched() is 'Notes the people of a statement in ml.touched_people.';
"""

GRANTS = """
grant usage on schema ml to tutorq_api, tutorq_analyst;
grant select on all tables in schema ml to tutorq_api, tutorq_analyst;
grant insert, update, delete on ml.match_predictions to tutorq_api;
grant delete on ml.touched_people to tutorq_api;
grant update on ml.prediction_version to tutorq_api;
"""

UNDO = """
drop trigger students_touched_insert on raw.students;
drop trigger students_touched_update on raw.students;
drop trigger students_touched_delete on raw.students;
drop trigger tutors_touched_insert on raw.tutors;
drop trigger tutors_touched_update on raw.tutors;
drop trigger tutors_touched_delete on raw.tutors;
drop function ml.note_touched();
alter table ml.models drop constraint models_kind_check;
drop table ml.touched_people, ml.prediction_version, ml.prediction_buckets;
drop table ml.session_predictions, ml.match_predictions;
drop function ml.student_bucket(uuid);
create table ml.match_predictions (
    student_id uuid not null,
    tutor_id uuid not null,
    churn_probability real not null check (churn_probability between 0 and 1),
    risk_level text not null check (risk_level in ('low', 'medium', 'high')),
    compatibility_score real not null check (compatibility_score between 0 and 1),
    pace_mismatch real,
    style_mismatch real,
    communication_mismatch real,
    age_mismatch real,
    model_version text not null,
    predicted_at timestamptz not null default now(),
    primary key (student_id, tutor_id)
);
create index on ml.match_predictions (tutor_id);
revoke select on ml.models from tutorq_api, tutorq_analyst;
revoke usage on schema ml from tutorq_api, tutorq_analyst;
"""


def upgrade() -> None:
    op.execute(PREDICTIONS)
    for bucket in range(BUCKETS):
        op.execute(
            f"create table ml.match_predictions_{bucket:02d} partition of ml.match_predictions for values in ({bucket})"
        )
    op.execute(TOUCHED)
    for table, entity in (("students", "student"), ("tutors", "tutor")):
        for event, transition in (("insert", "new"), ("update", "new"), ("delete", "old")):
            op.execute(
                f"create trigger {table}_touched_{event} after {event} on raw.{table} "
                f"referencing {transition} table as {transition}_rows for each statement "
                f"execute function ml.note_touched('{entity}', '{entity}_id')"
            )
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute(UNDO)
