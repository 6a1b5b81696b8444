"""Offers: which tutors were shown to whom, with which probability, and which of them were accepted."""

from alembic import op

revision = "0046"
down_revision = "0045"

OFFERS = """
create table ml.slates (
    slate_id uuid primary key,
    student_id uuid not null,
    subject text,
    source text not null check (source in ('offer', 'assignment')),
    plan_id uuid,
    policy text not null check (policy in ('model', 'rules', 'chance', 'assignment', 'by_hand')),
    model_version text not null,
    exploration_share real not null check (exploration_share between 0 and 1),
    lottery jsonb check (jsonb_typeof(lottery) = 'object'),
    seed bigint,
    holdout_share real not null default 0 check (holdout_share between 0 and 1),
    holdout_week date,
    is_holdout boolean not null default false,
    candidates uuid[] not null default '{}',
    candidate_churn real[] not null default '{}',
    candidate_rules real[] not null default '{}',
    made_by text not null,
    offered_at timestamptz not null default now(),
    unique (plan_id, student_id),
    check ((source = 'assignment') = (plan_id is not null)),
    check ((source = 'offer') = (lottery is not null)),
    check (cardinality(candidates) = cardinality(candidate_churn)),
    check (cardinality(candidates) = cardinality(candidate_rules))
);
create index on ml.slates (student_id);
create index on ml.slates (offered_at);
comment on table ml.slates is
    'One row per time that tutors were offered to a student, or that an assignment gave the student one. Rows are '
    'added and never changed; old ones are deleted (TUTORQ_OFFER_KEPT_DAYS).';
comment on column ml.slates.source is
    'offer: a list that was asked for to be shown; assignment: a pair of an assignment that was accepted.';
comment on column ml.slates.plan_id is 'The assignment that the pair is of; accepted once.';
comment on column ml.slates.policy is
    'Whose order was offered but for exploration: model, rules or chance; assignment; by_hand: fixed by who asked.';
comment on column ml.slates.exploration_share is 'Share of such slates that are drawn otherwise, to learn from it.';
comment on column ml.slates.lottery is 'The probability of each order (model, rules, chance) before it was drawn.';
comment on column ml.slates.seed is 'The same candidates, lottery and seed give the same slate.';
comment on column ml.slates.holdout_share is 'Share of the cells of subject and week held out then; 0: none were.';
comment on column ml.slates.candidates is 'Tutors it was drawn from, in the order of the model.';
comment on column ml.slates.candidate_churn is 'Their churn probability then, by the model.';
comment on column ml.slates.candidate_rules is 'The same by the rules.';
comment on column ml.slates.made_by is 'Who asked, as in the audit log.';

create table ml.offers (
    slate_id uuid not null references ml.slates on delete cascade,
    place smallint not null check (place >= 1),
    tutor_id uuid not null,
    propensity double precision check (propensity > 0 and propensity <= 1),
    churn_probability real not null check (churn_probability between 0 and 1),
    accepted_at timestamptz,
    accepted_by text,
    primary key (slate_id, place),
    unique (slate_id, tutor_id),
    check ((accepted_at is null) = (accepted_by is null))
);
create index on ml.offers (tutor_id);
create index on ml.offers (accepted_at) where accepted_at is not null;
comment on table ml.offers is 'One row per tutor of a slate. What became of it is derived from sessions.';
comment on column ml.offers.place is 'Place in the slate, 1 the first.';
comment on column ml.offers.propensity is
    'Probability, before the draw, that this tutor stands at this place; null if it is not known.';
comment on column ml.offers.churn_probability is 'As predicted when it was offered.';
comment on column ml.offers.accepted_at is 'When somebody said that this tutor was chosen.';

create table ml.holdout_key (
    only_row boolean primary key default true check (only_row),
    key uuid not null default gen_random_uuid()
);
insert into ml.holdout_key default values;
comment on table ml.holdout_key is 'One row: what the cells that are held out are drawn with.';

grant select, insert on ml.slates, ml.offers to tutorq_api, tutorq_transform;
grant update (accepted_at, accepted_by) on ml.offers to tutorq_api;
grant delete on ml.slates to tutorq_transform;
grant select on ml.holdout_key to tutorq_api;
"""


def upgrade() -> None:
    op.execute(OFFERS)


def downgrade() -> None:
    op.execute("drop table ml.offers, ml.slates, ml.holdout_key")
