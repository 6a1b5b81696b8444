-- Queues the pairs whose histories before their first booking may be others than int_pair_histories has: those of people of
-- whom something changed that was known before it, and those whose follow-up days are over since, or are over no more. What
-- a session tells is known on its day or later, and it counts on its day or earlier: so `since` may be too early, never late.
declare
    due date := (select as_of from intermediate.int_as_of) - follow_up_days;
begin
    if to_regclass('intermediate.int_pair_histories') is null then
        delete from intermediate.touched_histories;
        return;
    end if;
    with touched as (
        delete from intermediate.touched_histories returning *
    ),
    tutors as (
        select tutor_id, min(since) as since from touched group by tutor_id
    ),
    students as (
        select student_id, min(since) as since from touched group by student_id
    )
    insert into intermediate.touched_pair_histories
    select made.tutor_id, made.student_id
    from tutors
    inner join intermediate.int_pair_histories as made on tutors.tutor_id = made.tutor_id and tutors.since < made.booked_on
    union
    select made.tutor_id, made.student_id
    from students
    inner join intermediate.int_pair_histories as made
        on students.student_id = made.student_id and students.since < made.booked_on
    union
    -- Of the two themselves, whose first session may have been another one, or may be one only now.
    select made.tutor_id, made.student_id
    from touched
    inner join intermediate.int_pair_histories as made
        on touched.tutor_id = made.tutor_id and touched.student_id = made.student_id and touched.since <= made.first_session_on
    union
    select pairs.tutor_id, pairs.student_id
    from touched
    inner join intermediate.int_pairs as pairs
        on touched.tutor_id = pairs.tutor_id and touched.student_id = pairs.student_id and touched.since <= pairs.first_session_on
    where pairs.first_session_on <= due
    union
    select tutor_id, student_id from intermediate.int_pair_histories where first_session_on > due
    union
    select tutor_id, student_id from intermediate.int_pairs
    where
        first_session_on <= due
        and first_session_on > coalesce(
            (select max(first_session_on) from intermediate.int_pair_histories), '-infinity'
        );
end
