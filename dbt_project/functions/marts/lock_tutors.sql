-- In the order of their hashes, so that nobody waits for somebody who waits.
declare
    tutor_hash integer;
begin
    for tutor_hash in
        select distinct hashtext(tutor_id::text) as hash from unnest(tutors) as tutor_id order by hash
    loop
        perform pg_advisory_xact_lock(7461005, tutor_hash);
    end loop;
end
