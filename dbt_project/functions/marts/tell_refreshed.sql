-- Called by live writers, in the transaction that changes the scores. A reader who shows one of so many looks at all.
begin
    insert into app.events (kind, payload)
    values (
        'tutors.refreshed',
        case
            when cardinality(tutors) <= 100 then jsonb_build_object('tutor_ids', tutors, 'many', false)
            else jsonb_build_object('tutor_ids', '[]'::jsonb, 'many', true)
        end
    );
end
