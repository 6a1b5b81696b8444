-- Called before every run: tables that models and live writers use beside those of the models.
begin
    create table if not exists intermediate.touched_tutor_days (tutor_id uuid not null, counted_on date not null);
    create table if not exists intermediate.touched_pairs (tutor_id uuid not null, student_id uuid not null);
    create table if not exists intermediate.touched_histories (tutor_id uuid not null, student_id uuid not null, since date not null);
    create table if not exists intermediate.touched_pair_histories (tutor_id uuid not null, student_id uuid not null);
    create table if not exists intermediate.touched_weeks (week_start date not null);
    create table if not exists intermediate.weeks_up_to (as_of date not null);
    create table if not exists intermediate.unpublished (taken_at timestamptz not null default now());
    create table if not exists intermediate.scoring_days (as_of date not null, is_as_of boolean not null);
    create table if not exists intermediate.days_to_record (as_of date not null);
    create table if not exists intermediate.day_before (
        as_of date not null, tutor_id uuid not null, risk_status text not null, risk_status_since date
    );
    create table if not exists intermediate.touched_concerns (tutor_id uuid not null, since date not null);
    create table if not exists intermediate.touched_concern_days (tutor_id uuid not null, concern_day date not null);
    create table if not exists intermediate.concern_days_up_to (as_of date not null);
    create table if not exists intermediate.touched_filter_checkpoints (tutor_id uuid not null);
    create table if not exists intermediate.touched_forecasts (tutor_id uuid not null, since date not null);
    create table if not exists intermediate.forecasts_to_judge (tutor_id uuid not null, forecast_on date not null);
    create table if not exists intermediate.made_before (
        node text primary key, version text not null, comment text not null
    );
    create table if not exists intermediate.case_mix (tutor_id uuid primary key, expected double precision not null);
    create table if not exists intermediate.filter_parameters (
        checkpoint_on date not null,
        rate_limit double precision not null,
        start double precision [] not null,
        after_a_jump double precision [] not null,
        log_rates double precision [] not null,
        log_complements double precision [] not null,
        design_effect double precision not null
    );
    create table if not exists intermediate.concern_priors (
        concern_day date not null,
        is_closed boolean not null,
        concern text not null,
        rate_limit double precision not null,
        prior_alpha double precision,
        prior_beta double precision,
        broad_alpha double precision,
        broad_beta double precision,
        log_masses double precision [],
        log_rates double precision [],
        log_complements double precision [],
        rating_mean double precision,
        between_variance double precision,
        within_variance double precision,
        primary key (concern_day, concern)
    );
    -- In the row and as they are: to fetch and unpack them for each tutor would cost more than the probability.
    if exists (
        select from pg_attribute
        where attrelid = 'intermediate.concern_priors'::regclass and attname like 'log\_%' and attstorage <> 'p'
    ) then
        alter table intermediate.concern_priors
        alter log_masses set storage plain, alter log_rates set storage plain, alter log_complements set storage plain;
    end if;
    create index if not exists day_before_tutor_id on intermediate.day_before (tutor_id);

    -- Of versions before: what is there now is made by the models.
    drop table if exists
        intermediate.built_with, intermediate.live_refreshes, intermediate.live_sample,
        intermediate.stored_int_as_of, intermediate.stored_int_rate_priors, intermediate.stored_int_rating_means;
    drop function if exists
        marts.live_tutor_scores (uuid []), marts.add_dim_tutors (uuid []),
        intermediate.redo_int_session_facts (uuid []), intermediate.redo_int_tutor_days (uuid [], date []),
        intermediate.redo_int_pairs (uuid [], uuid []);
    begin
        drop view if exists analytics.fct_reschedules, marts.fct_reschedules;
    exception when dependent_objects_still_exist then
        null; -- somebody's own view reads it, and goes on doing so
    end;
    begin
        drop view if exists
            intermediate.int_tutor_posteriors, intermediate.int_tutor_quality, intermediate.int_tutor_first_meetings,
            intermediate.int_tutor_lost_students, intermediate.int_rate_priors, intermediate.int_rating_means,
            intermediate.int_rating_moments;
        drop function if exists
            intermediate.beta_summary (double precision, double precision, double precision),
            intermediate.beta_masses (double precision, double precision, double precision),
            intermediate.sessions_to_clear (double precision, double precision),
            intermediate.rate_clears_in (
                double precision [], double precision [], double precision [], integer [], double precision [],
                double precision [], double precision [], double precision, double precision, double precision,
                double precision, double precision [], integer
            ),
            intermediate.rating_clears_in (
                integer [], double precision [], double precision [], double precision [], double precision,
                double precision, double precision, double precision, double precision, double precision, integer
            ),
            intermediate.evidence_clears_in (
                double precision [], double precision [], double precision [], double precision, double precision,
                double precision, double precision, integer [], double precision [], double precision [],
                double precision [], double precision, double precision, double precision, double precision,
                double precision [], integer
            );
    exception when dependent_objects_still_exist then
        null; -- live writers read by them until this run has made scores anew: the next one drops them
    end;
    -- What score_history has recorded of the rate of moves stays, and is recorded no longer.
    if exists (
        select from pg_attribute
        where attrelid = to_regclass('marts.score_history') and attname = 'reschedule_rate_expected' and attnotnull
    ) then
        alter table marts.score_history
        alter reschedule_rate_expected drop not null,
        alter reschedule_rate_low drop not null,
        alter reschedule_rate_high drop not null;
    end if;
end
