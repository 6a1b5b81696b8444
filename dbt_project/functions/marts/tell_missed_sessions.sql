-- Called by whoever has written int_session_facts, in the same transaction. What is looked up comes by indexes from raw:
-- with null as sessions, those of the last two days alone, however long the history is.
--
-- By the day of the session and not by counted_on: who moved it a week ago and does not come today is told of today. A
-- session is told of once (events_one_alert_per_session); events are kept for longer than two days.
#variable_conflict use_column
begin
    if to_regclass('marts.publication') is null then
        return; -- the first scores of a history are no news
    end if;
    insert into app.events (kind, tutor_id, payload)
    select
        'session.alert',
        facts.tutor_id,
        jsonb_build_object(
            'reason', 'tutor_no_show',
            'session_id', facts.session_id,
            'session_external_id', coalesce(facts.external_id, facts.session_id::text),
            'tutor_external_id', coalesce(tutors.external_id, facts.tutor_id::text),
            'scheduled_time', facts.scheduled_time,
            'subject', facts.subject
        )
    from raw.sessions as arrived
    inner join intermediate.int_session_facts as facts on facts.session_id = arrived.session_id
    left join raw.tutors as tutors on tutors.tutor_id = facts.tutor_id
    where
        facts.is_tutor_no_show
        and arrived.status = 'no_show'
        and (sessions is null or arrived.session_id = any(sessions))
        and arrived.scheduled_time >= (
            ((now() at time zone '{{ var("timezone") }}')::date - 1)::timestamp at time zone '{{ var("timezone") }}'
        )
        and arrived.scheduled_time < now() + interval '1 hour'
    on conflict do nothing;
end
