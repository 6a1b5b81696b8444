-- A run takes each of these alone while it changes the table: 0 int_session_facts, 1 int_tutor_days, 2 int_pairs,
-- 3 dim_tutors, 4 tutor_concerns and tutor_scores (`gate` of the models).
begin
    perform pg_advisory_xact_lock_shared(7461004, gate) from generate_series(0, 4) as gate;
end
