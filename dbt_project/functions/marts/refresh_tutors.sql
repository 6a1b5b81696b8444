-- How a change of a tutor (their name, whether they are active, …) is seen, in the transaction that made it in raw.tutors.
-- raw.changes keeps the tutors: the next run does them again, with the same result. Locks as in refresh_sessions.
-- depends_on: {{ function('keep_tutor_rows') }}
#variable_conflict use_column
begin
    perform marts.share_gates();
    perform marts.lock_tutors(tutors);
    delete from marts.dim_tutors where tutor_id = any(tutors);
    insert into marts.dim_tutors select * from intermediate.dim_tutors_definition where tutor_id = any(tutors);
    -- What int_tutor_scores takes from dim_tutors.
    update marts.tutor_scores as scores
    set
        external_id = people.external_id,
        name = people.name,
        subjects = people.subjects,
        is_active = people.is_active
    from marts.dim_tutors as people
    where scores.tutor_id = any(tutors) and people.tutor_id = scores.tutor_id;
    perform marts.keep_tutor_rows(tutors);
    -- A tutor who has left raises nothing.
    perform marts.keep_cases(tutors);
    perform marts.tell_refreshed(tutors);
    perform marts.note_refresh();
    return cardinality(tutors);
end
