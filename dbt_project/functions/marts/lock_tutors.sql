-- In the order of their hashes, so that nobody waits for somebody who waits.
begin
    perform pg_advisory_xact_lock(7461005, hashes.hash)
    from (select distinct hashtext(tutor_id::text) as hash from unnest(tutors) as tutor_id order by hash) as hashes;
end
