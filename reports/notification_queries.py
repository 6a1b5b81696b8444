"""SQL of what events are due to be told: webhooks, chats, and persons by their own clocks.

Each looks for what has not been queued, by keys of the outbox and of `app.notifications`, among the events of which it
is not known that they have been (`app.events_to_tell`).
"""

KEPT = "30 days"
DAILY_FROM = "07:00"

# Taken before all else of a look: what is visible in it has been told when the look is over, or is for nobody.
SNAPSHOT = "select app.events_history(), pg_current_snapshot()::text"
NOTE_LOOK = """
insert into app.event_look as known (history, seen) values (%s, %s::text::pg_snapshot)
on conflict (is_only) do update set history = excluded.history, seen = excluded.seen, looked_at = now()
where known.looked_at < now() - interval '1 minute' or known.history <> excluded.history
"""

QUEUE_WEBHOOKS = """
insert into app.email_reports (channel, kind, topic, unique_key, recipient, subject, payload, endpoint_id)
select
    'webhook', event.kind, 'event:' || event.event_id,
    'webhook:' || event.event_id || ':' || endpoint.endpoint_id,
    endpoint.host, event.kind,
    jsonb_build_object(
        'type', event.kind,
        'timestamp', to_char(event.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', event.payload || jsonb_strip_nulls(jsonb_build_object('tutor_id', event.tutor_id))
    ),
    endpoint.endpoint_id
{due}
order by event.created_at, event.event_id
on conflict (unique_key) do nothing
"""
DUE_WEBHOOKS = """
from app.webhook_endpoints as endpoint
inner join app.events_to_tell() as event
    on event.kind = any(endpoint.kinds) and event.created_at >= endpoint.active_since
where
    endpoint.state = 'active'
    and not exists (
        select from app.email_reports as known
        where known.unique_key = 'webhook:' || event.event_id || ':' || endpoint.endpoint_id
    )
"""

# A tutor who has left is no news. A case is told to its owner, but for what the owner did.
DUE_TO_PERSONS = """
from app.notification_preferences as preferences
inner join app.people on people.person_id = preferences.person_id and people.is_active
inner join app.events_to_tell() as event
    on event.kind = any(preferences.kinds) and event.created_at >= preferences.since
where
    preferences.told_by <> 'nothing'
    and coalesce((event.payload ->> 'is_active')::boolean, true)
    and case
        when event.kind = 'case.changed'
            then (event.payload ->> 'person_id')::bigint is distinct from people.person_id
                and exists (
                    select from app.cases
                    where case_id = (event.payload ->> 'case_id')::bigint and owner_id = people.person_id
                )
        else not preferences.only_own_tutors or exists (
            select from app.person_tutors as theirs
            where theirs.person_id = people.person_id and theirs.tutor_id = event.tutor_id
        )
    end
    and not exists (
        select from app.notifications as known
        where known.target = 'person:' || people.person_id and known.event_id = event.event_id
    )
"""
COLLECT_FOR_PERSONS = f"""
insert into app.notifications (target, event_id, person_id, kind, tutor_id, payload, happened_at)
select
    'person:' || people.person_id, event.event_id, people.person_id, event.kind, event.tutor_id, event.payload,
    event.created_at
{DUE_TO_PERSONS}
on conflict do nothing
"""
DUE_TO_CHATS = """
from unnest(%(targets)s::text[]) as chat (target)
inner join app.report_switches as switch on switch.switch = chat.target
inner join app.events_to_tell() as event
    on event.kind = any(%(kinds)s::text[]) and event.created_at >= switch.on_since
where
    coalesce((event.payload ->> 'is_active')::boolean, true)
    and not exists (
        select from app.notifications as known
        where known.target = chat.target and known.event_id = event.event_id
    )
"""
COLLECT_FOR_CHATS = f"""
insert into app.notifications (target, event_id, kind, tutor_id, payload, happened_at)
select chat.target, event.event_id, event.kind, event.tutor_id, event.payload, event.created_at
{DUE_TO_CHATS}
on conflict do nothing
"""

# On the clock of the person: quiet hours may go past midnight. The daily message comes once a day, in the morning.
LISTENING = """
select
    preferences.person_id, people.email, preferences.kinds, preferences.told_by, preferences.time_zone,
    preferences.chat_service, preferences.since
from app.notification_preferences as preferences
inner join app.people on people.person_id = preferences.person_id and people.is_active
cross join lateral (select (%(now)s at time zone preferences.time_zone) as moment) as clock
where
    preferences.told_by <> 'nothing'
    and not coalesce(
        case
            when preferences.quiet_from < preferences.quiet_to
                then clock.moment::time >= preferences.quiet_from and clock.moment::time < preferences.quiet_to
            else clock.moment::time >= preferences.quiet_from or clock.moment::time < preferences.quiet_to
        end,
        false
    )
"""
IS_TIME = f"""
    and (
        not preferences.is_daily
        or (
            clock.moment::time >= '{DAILY_FROM}'
            and not exists (
                select from app.notifications as known
                where
                    known.target = 'person:' || preferences.person_id
                    and (known.told_at at time zone preferences.time_zone)::date = clock.moment::date
            )
        )
    )
"""
HAS_WAITING = """
    and exists (
        select from app.notifications as waiting
        where waiting.target = 'person:' || preferences.person_id and waiting.told_at is null
    )
"""

FORGET = f"""
delete from app.notifications as known
where
    known.created_at < now() - interval '{KEPT}'
    or (
        known.told_at is null and known.person_id is not null
        and not exists (
            select from app.notification_preferences as preferences
            where
                preferences.person_id = known.person_id and preferences.told_by <> 'nothing'
                and known.kind = any(preferences.kinds)
        )
    )
"""
WAITING = """
select
    waiting.event_id, waiting.kind, waiting.tutor_id, waiting.payload, waiting.happened_at, tutors.name
from app.notifications as waiting
left join raw.tutors as tutors on tutors.tutor_id = waiting.tutor_id
where waiting.target = %s and waiting.told_at is null
order by waiting.happened_at, waiting.event_id
for update of waiting
"""
ADD = """
insert into app.email_reports (channel, kind, topic, unique_key, recipient, subject, payload)
values (%(channel)s, %(kind)s, %(topic)s, %(topic)s, %(recipient)s, %(subject)s, %(payload)s)
on conflict (unique_key) do nothing
returning report_id
"""
TOLD = """
update app.notifications set told_at = %(now)s, report_id = %(report)s
where target = %(target)s and event_id = any(%(events)s)
"""
# The digest of the last day, whether or not it left as mail to the staff. Who is among these has it already.
DIGEST = """
from (
    select distinct on (topic) topic, subject, payload, created_at
    from app.email_reports
    where
        kind = 'daily_digest' and channel = 'mail' and topic not like '%%:person:%%'
        and created_at > now() - interval '1 day'
    order by topic, created_at
) as digest
"""
DIGEST_TO_PERSONS = f"""
{DIGEST}
inner join ({LISTENING}) as person
    on 'daily_digest' = any(person.kinds) and digest.created_at >= person.since
where
    not exists (
        select from app.email_reports as known
        where
            known.topic = digest.topic || ':person:' || person.person_id
            or (known.topic = digest.topic and lower(known.recipient) = lower(person.email))
    )
"""
DIGEST_TO_CHATS = f"""
{DIGEST}
cross join unnest(%(targets)s::text[]) as chat (target)
inner join app.report_switches as switch on switch.switch = chat.target and digest.created_at >= switch.on_since
where not exists (select from app.email_reports as known where known.topic = digest.topic || ':' || chat.target)
"""
DIGESTS = f"""
select digest.topic, digest.subject, digest.payload, 'person:' || person.person_id
{DIGEST_TO_PERSONS}
union all
select digest.topic, digest.subject, digest.payload, chat.target
{DIGEST_TO_CHATS}
"""
