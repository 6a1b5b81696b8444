"""What was forecast of each tutor on each day, to be compared with what came."""

from alembic import op

revision = "0040"
down_revision = "0038"

DAYS = """
create table app.forecast_days (
    forecast_on date primary key,
    noted_as_of date not null,
    rate_limit double precision not null,
    prior_alpha double precision not null,
    prior_beta double precision not null,
    broad_alpha double precision not null,
    broad_beta double precision not null
);
comment on table app.forecast_days is
    'One row per day on which forecasts were made: what they had in common. The nightly run adds the days that have '
    'closed. It is input, like raw: no rebuild of other tables changes it.';
comment on column app.forecast_days.noted_as_of is
    'The as-of day of the run that added it. Where it is much later than the day itself, its forecasts were computed '
    'afterwards, from what is known of the days before.';
comment on column app.forecast_days.rate_limit is 'The limit of the rate of let-downs on that day, 0-1.';
comment on column app.forecast_days.prior_alpha is 'First parameter of the narrow part of the prior of unreliable.';
comment on column app.forecast_days.broad_alpha is 'First parameter of its broad part.';
grant select, insert, delete on app.forecast_days to tutorq_transform;
"""

FORECASTS = """
create table app.forecasts (
    tutor_id uuid not null,
    forecast_on date not null references app.forecast_days on delete cascade,
    sessions_90d integer not null,
    has_needs boolean not null,
    trials double precision not null,
    events double precision not null,
    probability double precision not null,
    probability_now double precision,
    is_raised boolean not null,
    primary key (tutor_id, forecast_on)
);
create index on app.forecasts (forecast_on);
comment on table app.forecasts is
    'One row per tutor and day with evidence of let-downs: what was said of the tutor''s rate on that day.';
comment on column app.forecasts.sessions_90d is 'Sessions in the 90 days up to that day.';
comment on column app.forecasts.has_needs is 'Whether these are enough to say anything.';
comment on column app.forecasts.trials is 'Evidence: discounted and capped sessions.';
comment on column app.forecasts.events is 'Of these, let-downs.';
comment on column app.forecasts.probability is
    'Probability that the rate of let-downs is above the limit (unreliable).';
comment on column app.forecasts.probability_now is
    'Probability that the rate of that day is (getting_worse); null without evidence of late.';
comment on column app.forecasts.is_raised is 'Whether one of these two concerns was raised on that day.';
grant select, insert, update, delete on app.forecasts to tutorq_transform;
"""


def upgrade() -> None:
    op.execute(DAYS)
    op.execute(FORECASTS)


def downgrade() -> None:
    op.execute("drop table app.forecasts, app.forecast_days")
