"""What closed days have kept: the priors of concerns, and how long each concern was raised."""

from alembic import op

revision = "0023"
down_revision = "0022"

# Without limits: these are settings, and hold for all days.
PRIORS = """
create table app.concern_priors (
    concern_day date not null,
    concern text not null,
    made_with text not null,
    trials double precision not null,
    events double precision not null,
    prior_alpha double precision,
    prior_beta double precision,
    mean_rate double precision,
    platform_rate double precision,
    rating_mean double precision,
    between_variance double precision,
    within_variance double precision,
    primary key (concern_day, concern)
);
comment on table app.concern_priors is
    'One row per closed day and concern: what all tutors said then. Runs write it when a day has closed, and again '
    'only if a fifth of its trials has changed. It is input, like raw: no rebuild of other tables changes it.';
comment on column app.concern_priors.made_with is 'The settings by which trials and events are counted, as a hash.';
comment on column app.concern_priors.trials is 'Trials of all tutors that counted on the day, undiscounted.';
comment on column app.concern_priors.events is 'Of these, events; 0 for ratings.';
comment on column app.concern_priors.prior_alpha is
    'First parameter of the narrow part of the prior of a rate; null for ratings.';
comment on column app.concern_priors.prior_beta is 'Second parameter.';
comment on column app.concern_priors.mean_rate is 'Mean of the rates of tutors, 0-1, by which the broad part goes.';
comment on column app.concern_priors.platform_rate is 'Events / trials of all tutors, discounted, 0-1.';
comment on column app.concern_priors.rating_mean is 'Of low_ratings, mean rating of the platform; null without any.';
comment on column app.concern_priors.between_variance is 'Of low_ratings, variance of tutors'' means.';
comment on column app.concern_priors.within_variance is 'Of low_ratings, variance of the ratings of one tutor.';
grant select, insert, delete on app.concern_priors to tutorq_transform;
"""

STRETCHES = """
create table app.concern_stretches (
    tutor_id uuid not null,
    concern text not null,
    raised_on date not null,
    cleared_on date check (cleared_on > raised_on),
    probability_when_raised double precision not null,
    probability_when_cleared double precision,
    high_days date[] not null,
    primary key (tutor_id, concern, raised_on)
);
comment on table app.concern_stretches is
    'One row per tutor, concern and stretch of closed days on which the concern was raised. Runs write it, and change '
    'what is of the last 30 days. What is older is input, like raw: nothing else tells it.';
comment on column app.concern_stretches.cleared_on is
    'First day after the stretch; null if the concern was raised on the last closed day.';
comment on column app.concern_stretches.high_days is
    'Days with the probability that raises a concern: those of the last 30 when the stretch was written, and the last '
    'one before. The last of those that have left the 30 days may hold the stretch.';
grant select, insert, update, delete on app.concern_stretches to tutorq_transform;
"""


def upgrade() -> None:
    op.execute(PRIORS)
    op.execute(STRETCHES)


def downgrade() -> None:
    op.execute("drop table app.concern_stretches, app.concern_priors")
