-- Rows of all kinds about two people who are to be erased, the tutor {tutor} and the student {student}, and rows of others
-- in which they are named. {other} is another tutor, {session} a session of the tutor, {lesson} one of the student and the
-- other tutor.
insert into app.people (name, email, role) values ('Ann Lee', 'ann@example.org', 'lead');
insert into app.person_tutors (person_id, tutor_id) select person_id, {tutor} from app.people where email = 'ann@example.org';

insert into app.cases (tutor_id, opened_on, opened_by, concerns, snapshot)
values
    ({tutor}, '2026-01-30', 'tutorq', '{{unreliable}}', '{{"tutor_name": "Zenobia Quill"}}'),
    ({other}, '2026-01-30', 'tutorq', '{{unreliable}}', '{{}}');
insert into app.case_events (case_id, kind, actor, version, details)
select case_id, 'note', 'Ann Lee (person 1)', 1, jsonb_build_object('text', 'Zenobia Quill says Quentin Vermeer was ill; T-Erase-77')
from app.cases where tutor_id in ({tutor}, {other});
insert into app.appeals (tutor_id, concern, reason, text, created_by, due_on)
values ({tutor}, 'unreliable', 'not_me', 'I was there', 'tutor T-Erase-77', '2026-02-14');
insert into app.appeal_sessions (appeal_id, session_id, happened) select appeal_id, {session}, 'moved' from app.appeals;
insert into app.page_links (token_hash, tutor_id, made_by, expires_at) values ('\x01', {tutor}, 'mail', now() + interval '1 day');
insert into app.excuses (session_id, reason, created_by)
values ({session}, 'Zenobia was ill', 'Ann Lee (person 1)'), ({lesson}, 'Quentin Vermeer was ill', 'Ann Lee (person 1)');
insert into app.risk_alert_states (tutor_id, alerted_status, alerted_on, last_flagged_on)
values ({tutor}, 'watch', '2026-01-30', '2026-01-30');
insert into app.concern_stretches (tutor_id, concern, raised_on, probability_when_raised, high_days)
values ({tutor}, 'unreliable', '2026-01-20', 0.9, '{{2026-01-20}}') on conflict do nothing;

insert into app.email_reports (report_id, kind, unique_key, recipient, subject, payload, topic, body_text, channel)
values
    (
        '10000000-0000-0000-0000-000000000001', 'tutor_snapshot', 'snapshot:' || {tutor}::text, 'Zenobia.Quill@example.org',
        'Your month', jsonb_build_object('tutor_id', {tutor}, 'name', 'Zenobia Quill'), 'snapshot', 'Dear Zenobia Quill', 'mail'
    ),
    (
        '10000000-0000-0000-0000-000000000002', 'daily_digest', 'digest:2026-01-31', 'ann@example.org',
        'Zenobia Quill and one more',
        jsonb_build_object('tutors', jsonb_build_array(
            jsonb_build_object('tutor_id', {tutor}, 'name', 'Zenobia Quill', 'sessions', 9),
            jsonb_build_object('tutor_id', {other}, 'name', 'Björn Tutor 1', 'sessions', 7)
        )),
        'digest', 'Zenobia Quill (T-Erase-77): 9. Björn Tutor 1: 7.', 'mail'
    ),
    (
        '10000000-0000-0000-0000-000000000003', 'session.alert', 'webhook:1', 'hook', 'session.alert',
        jsonb_build_object('data', jsonb_build_object('tutor_id', {other}, 'student_id', {student})),
        'session', null, 'webhook'
    ),
    (
        '10000000-0000-0000-0000-000000000004', 'session.alert', 'webhook:2', 'hook', 'session.alert',
        jsonb_build_object('data', jsonb_build_object('tutor_id', {tutor})), 'session', null, 'webhook'
    );
insert into app.mail_events (event_id, report_id, event, happened_at)
values ('e1', '10000000-0000-0000-0000-000000000001', 'bounced', now());
insert into app.webhook_attempts (report_id, outcome, seconds, problem)
values ('10000000-0000-0000-0000-000000000003', 'later', 1, 'the answer named Quentin Vermeer');
insert into app.mail_opt_outs (address, kind) values ('zenobia.quill@example.org', 'tutor_snapshot');
insert into app.mail_suppressions (address, reason) values ('zenobia.quill@example.org', 'bounced');
insert into app.events (kind, tutor_id, payload)
values
    ('tutor.concern_raised', {tutor}, jsonb_build_object('tutor_id', {tutor})),
    ('session.alert', {other}, jsonb_build_object('tutor_id', {other}, 'student_id', {student})),
    ('tutors.refreshed', null, jsonb_build_object('tutor_ids', jsonb_build_array({tutor}, {other})));
insert into app.notifications (target, event_id, person_id, kind, tutor_id, payload, happened_at)
select 'person:1', event_id, null, kind, tutor_id, payload, now() from app.events where tutor_id is not null;

insert into app.idempotency_keys (idempotency_key, caller, request_sha256, answer)
values ('k1', 'key 1', '\x01', '{{"student_id": "St-Erase-88"}}'), ('k2', 'key 1', '\x02', '{{"session_id": "another"}}'),
    ('k3', 'key 1', '\x03', '{{"session_id": "Z-1", "status": "queued"}}');
insert into app.explanations (cache_key, source, prompt_version, body)
values ('c1', 'model', 'v1', '{{"text": "Quentin Vermeer suits Zenobia Quill"}}'), ('c2', 'model', 'v1', '{{"text": "a good pair"}}');
insert into app.what_ifs (settings, weeks, asked_by, state, result)
values ('{{}}', 8, 'Ann Lee (person 1)', 'done', jsonb_build_object('new', jsonb_build_array({tutor}, {other})));
insert into app.audit_log (actor, action, subject_kind, subject_id, details)
values
    ('Ann Lee (person 1)', 'tutor.change', 'tutor', {tutor}::text, '{{"fields": ["name"]}}'),
    ('Ann Lee (person 1)', 'student.add', 'student', {student}::text, '{{"fields": ["name"]}}'),
    ('Ann Lee (person 1)', 'excuse.add', 'session', {session}::text, '{{"reason": "Zenobia was ill"}}'),
    ('Ann Lee (person 1)', 'person.team', 'person', '1', jsonb_build_object('given', jsonb_build_array({tutor}, {other})));

insert into ml.match_runs (model_version, medium_from, high_from) values ('test', 0.3, 0.7);
insert into ml.match_predictions (student_id, tutor_id, churn_probability, run_id, bucket)
select pair.student_id, pair.tutor_id, 0.25, run_id, ml.student_bucket(pair.student_id)
from ml.match_runs
cross join (values ({student}, {tutor}), ({student}, {other}), (md5('student1')::uuid, {tutor})) as pair (student_id, tutor_id);
insert into ml.session_predictions (session_id, tutor_disruption_probability, model_version)
values ({session}, 0.2, 'test'), ({lesson}, 0.3, 'test');
insert into ml.tutor_predictions (tutor_id, stop_probability, model_version, factors, as_of)
values ({tutor}, 0.5, 'test', '[]', '2026-01-31');
insert into ml.slates (
    slate_id, student_id, source, policy, model_version, exploration_share, lottery, candidates, candidate_churn,
    candidate_rules, made_by
)
values
    (
        '20000000-0000-0000-0000-000000000001', {student}, 'offer', 'model', 'test', 0, '{{}}', array[{tutor}, {other}],
        '{{0.1, 0.2}}', '{{0.1, 0.2}}', 'key 1'
    ),
    (
        '20000000-0000-0000-0000-000000000002', md5('student1')::uuid, 'offer', 'model', 'test', 0, '{{}}',
        array[{tutor}, {other}], '{{0.1, 0.2}}', '{{0.1, 0.2}}', 'key 1'
    );
insert into ml.offers (slate_id, place, tutor_id, propensity, churn_probability)
select slate_id, place, tutor_id, 1, 0.1 from ml.slates cross join unnest(candidates) with ordinality as shown (tutor_id, place);
