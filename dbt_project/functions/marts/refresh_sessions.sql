-- How a posted session becomes a score, in the transaction that wrote it. A run of dbt fills the tables from the same views,
-- so both give the same rows: facts, days and pairs from <table>_definition, concerns and scores from int_tutor_concerns and
-- int_tutor_scores. To these two, a run adds the columns that need all tutors or planned sessions (batch_only and batch_part
-- in tutor_concerns.sql and tutor_scores.sql); here they keep their values, in the same order, at the end of the row.
--
--   raw ─► int_session_facts ─► int_tutor_days, int_pairs ─► tutor_concerns ─► tutor_scores
--
-- What comes from all tutors (priors, the as-of day) is in int_platform, as the last run has left it. raw.changes keeps
-- the sessions: the next run does them again, with the same result.
--
-- Locks, in this order (core/locks.py has all of them; nobody who holds a later one waits for an earlier one):
--   1. rows of raw, taken by the writer before it calls
--   2. the tables' gates: shared by live writers, taken alone by a run while it changes the table
--   3. the tutors, in the order of their hashes, so that two writers of one tutor see each other's rows
--   4. if it has to be drawn, the draw; then their cases (keep_cases)
--   5. the row of marts.publication
-- depends_on: {{ function('keep_tutor_rows') }}
#variable_conflict use_column
declare
    tutors uuid[];
    tutor_keys uuid[];
    student_keys uuid[];
    day_keys date[];
    day_tutors uuid[];
    pair_tutors uuid[];
    is_missed boolean;
    changed record;
    percentiles double precision[];
    planned bigint[];
    harmed bigint[];
    expectations double precision[];
    concern_keys text[];
    clearings date[];
begin
    perform marts.share_gates();
    select coalesce(array_agg(distinct tutor_id), '{}') into tutors
    from (
        select tutor_id from intermediate.int_session_facts where session_id = any(sessions)
        union all
        select tutor_id from staging.stg_raw__sessions where session_id = any(sessions)
    ) as had_or_have;
    perform marts.lock_tutors(tutors);

    -- The sessions, and the days and pairs in which they counted before and count now.
    select array_agg(tutor_id), array_agg(student_id), array_agg(counted_on)
    into tutor_keys, student_keys, day_keys
    from intermediate.int_session_facts
    where session_id = any(sessions);
    delete from intermediate.int_session_facts where session_id = any(sessions);
    insert into intermediate.int_session_facts
    select * from intermediate.int_session_facts_definition where session_id = any(sessions);
    select
        tutor_keys || array_agg(tutor_id), student_keys || array_agg(student_id), day_keys || array_agg(counted_on),
        bool_or(is_tutor_no_show)
    into tutor_keys, student_keys, day_keys, is_missed
    from intermediate.int_session_facts
    where session_id = any(sessions);
    -- The next nightly run will find no trace of the days that a session has left; nothing is known of it before it counts.
    insert into intermediate.touched_histories
    select distinct * from unnest(tutor_keys, student_keys, day_keys);
    if not tutor_keys <@ tutors then
        raise lock_not_available using message = 'another writer has given a session to another tutor';
    end if;
    -- And those of these tutors that a run has left for its next models: what is counted has to be of one moment.
    with left_over as (delete from intermediate.touched_tutor_days where tutor_id = any(tutors) returning *)
    select tutor_keys || array_agg(tutor_id), day_keys || array_agg(counted_on) into day_tutors, day_keys
    from left_over;
    with left_over as (delete from intermediate.touched_pairs where tutor_id = any(tutors) returning *)
    select tutor_keys || array_agg(tutor_id), student_keys || array_agg(student_id) into pair_tutors, student_keys
    from left_over;

    delete from intermediate.int_tutor_days as days
    using unnest(day_tutors, day_keys) as k (tutor_id, counted_on)
    where days.tutor_id = k.tutor_id and days.counted_on = k.counted_on;
    for changed in select distinct tutor_id, counted_on from unnest(day_tutors, day_keys) as k (tutor_id, counted_on) loop
        insert into intermediate.int_tutor_days
        select * from intermediate.int_tutor_days_definition
        where tutor_id = changed.tutor_id and counted_on = changed.counted_on;
    end loop;
    -- The next run will find no trace of the days that a session has left.
    insert into intermediate.touched_weeks
    select distinct date_trunc('week', counted_on::timestamp)::date from unnest(day_keys) as counted_on;
    insert into intermediate.touched_concerns
    select distinct tutor_id, counted_on from unnest(day_tutors, day_keys) as k (tutor_id, counted_on);

    delete from intermediate.int_pairs as pairs
    using unnest(pair_tutors, student_keys) as k (tutor_id, student_id)
    where pairs.tutor_id = k.tutor_id and pairs.student_id = k.student_id;
    for changed in
        select distinct tutor_id, student_id from unnest(pair_tutors, student_keys) as k (tutor_id, student_id)
    loop
        insert into intermediate.int_pairs
        select * from intermediate.int_pairs_definition
        where tutor_id = changed.tutor_id and student_id = changed.student_id;
    end loop;

    -- A tutor's first session is seen as soon as any other.
    insert into marts.dim_tutors
    select * from intermediate.dim_tutors_definition as defined
    where
        defined.tutor_id = any(tutors)
        and not exists (select from marts.dim_tutors as known where known.tutor_id = defined.tutor_id);

    -- What only runs make keeps its value until the next one.
    with gone as (delete from marts.tutor_concerns where tutor_id = any(tutors) returning *)
    select array_agg(concern_key), array_agg(clears_on) into concern_keys, clearings from gone;
    insert into marts.tutor_concerns
    select concerns.*, case when concerns.status = 'raised' then kept.clears_on end
    from intermediate.int_tutor_concerns as concerns
    left join unnest(concern_keys, clearings) as kept (concern_key, clears_on) on kept.concern_key = concerns.concern_key
    where concerns.tutor_id = any(tutors);
    with gone as (delete from marts.tutor_scores where tutor_id = any(tutors) returning *)
    select
        array_agg(tutor_id), array_agg(peer_percentile), array_agg(planned_sessions_7d), array_agg(harm_students),
        array_agg(case_mix_expected)
    into tutor_keys, percentiles, planned, harmed, expectations
    from gone;
    insert into marts.tutor_scores
    select
        scores.*,
        kept.peer_percentile,
        coalesce(kept.planned_sessions_7d, 0),
        -- By the new rate, or Today and the list of planned sessions would differ until the next run.
        coalesce(kept.planned_sessions_7d, 0) * scores.let_down_rate_expected,
        coalesce(kept.harm_students, 0),
        kept.case_mix_expected
    from intermediate.int_tutor_scores as scores
    left join unnest(tutor_keys, percentiles, planned, harmed, expectations)
        as kept (tutor_id, peer_percentile, planned_sessions_7d, harm_students, case_mix_expected)
        on kept.tutor_id = scores.tutor_id
    where scores.tutor_id = any(tutors);

    perform marts.keep_tutor_rows(tutors);
    perform marts.keep_cases(tutors);
    if is_missed then
        perform marts.tell_missed_sessions(sessions);
    end if;
    perform marts.tell_refreshed(tutors);
    perform marts.note_refresh();
    return cardinality(tutors);
end
