-- Called by whoever has written tutor_concerns, in the same transaction: a concern that is raised opens a case, joins the
-- open one or reopens the last one; when nothing is raised any more, the case is suggested for closing.
--
-- What stands for a case: what counts now, and what stood and is only superseded, for nobody is better because they got
-- worse. When `unreliable` ends, what it superseded counts instead. It is not new to the case if it was raised when somebody last
-- looked, at the opening, a contact or the end of the case: it stands for itself, and what was agreed stays.
--
-- A tutor who has left raises nothing. Rows of app.cases are locked in the order of tutors (core/locks.py).
--
-- What is raised and what has cleared is told in app.events, each once, from here: app.cases.standing is what was told last.
-- The first scores of an installation are no news, nor is a tutor's history that has only come now: of somebody who was not
-- rated before, what has been raised for longer than a day is not told.
--
-- With randomise_follow_up it is drawn when to talk about let-downs, once for each case that is opened here. Other cases are
-- not drawn: nothing would be learned from their waiting, because the effect is counted in let-downs.
#variable_conflict use_column
declare
    is_drawn constant boolean := {{ var('randomise_follow_up') }};
    about_let_downs constant text[] := array['{{ var("let_down_concerns") | join("', '") }}'];
    today constant date := (now() at time zone '{{ var("timezone") }}')::date;
    -- By key, also where everybody is meant: live writers have one plan for both, and it has to find few by index.
    wanted constant uuid[] := coalesce(
        tutors,
        array(
            select tutor_id from marts.tutor_concerns where status = 'raised'
            union
            select tutor_id from app.cases where standing <> '{}'
        )
    );
    is_first boolean := true;
    is_told boolean;
    changed record;
    opening record;
    drawn_arm text;
    is_opened boolean;
    has_owner boolean;
    known app.cases;
    came text[];
    taken_over text[];
    eased text[];
    looked_on date;
    follow_up date;
    snooze date;
    newly_raised text[];
    newly_cleared text[];
    figures jsonb;
    taken_over_figures jsonb;
    moved jsonb;
begin
    if to_regclass('marts.publication') is not null then
        is_first := not exists (select from marts.publication);
    end if;
    for changed in
        with raised as (
            select
                concerns.tutor_id,
                array_agg(concerns.concern) as concerns,
                coalesce(array_agg(concerns.concern) filter (where not concerns.superseded), '{}') as counting
            from marts.tutor_concerns as concerns
            inner join marts.dim_tutors as people on people.tutor_id = concerns.tutor_id and people.is_active
            where concerns.status = 'raised' and concerns.tutor_id = any(wanted)
            group by concerns.tutor_id
        ),

        kept as (
            select distinct on (tutor_id) tutor_id, standing
            from app.cases
            where tutor_id = any(wanted)
            order by tutor_id, closed_at is not null, opened_at desc
        )

        select
            tutor_id,
            coalesce(raised.concerns, '{}') as concerns,
            coalesce(raised.counting, '{}') as counting
        from raised
        full join kept using (tutor_id)
        where
            not coalesce(raised.counting, '{}') <@ coalesce(kept.standing, '{}')
            or not coalesce(kept.standing, '{}') <@ coalesce(raised.concerns, '{}')
        order by tutor_id
    loop
        if is_drawn and changed.counting && about_let_downs then
            -- Before any row of app.cases, so that nobody who waits for the draw is waited for.
            perform pg_advisory_xact_lock(7461050);
        end if;
        -- Somebody may open, close or reopen one at this moment: what counts is what is there once it is locked.
        loop
            select * into known from app.cases
            where tutor_id = changed.tutor_id
            order by closed_at is not null, opened_at desc
            limit 1
            for update;
            drawn_arm := null;
            newly_raised := array(
                select name from unnest(array['{{ var("concerns") | join("', '") }}']) as name
                where name = any(changed.counting) and name <> all(coalesce(known.standing, '{}'))
            );
            newly_cleared := array(select name from unnest(known.standing) as name where name <> all(changed.concerns));
            is_told := not is_first;
            if is_told and newly_raised <> '{}' then
                is_told := exists (
                    select from marts.tutor_scores
                    where tutor_id = changed.tutor_id and risk_status <> 'insufficient_data'
                ) or exists (
                    select from marts.tutor_concerns
                    where tutor_id = changed.tutor_id and concern = any(newly_raised) and raised_on >= as_of - 1
                );
            end if;
            perform set_config('tutorq.untold', case when is_told then 'off' else 'on' end, true);
            looked_on := greatest(
                known.opened_on,
                (known.reopened_at at time zone '{{ var("timezone") }}')::date,
                (known.closed_at at time zone '{{ var("timezone") }}')::date,
                (
                    select max(
                        coalesce(
                            contacts.happened_on, (contacts.happened_at at time zone '{{ var("timezone") }}')::date
                        )
                    )
                    from app.case_events as contacts
                    where
                        contacts.case_id = known.case_id
                        and contacts.kind = 'contact'
                        and not exists (select from app.case_events as later where later.corrects = contacts.event_id)
                )
            );
            taken_over := array(
                select concern from marts.tutor_concerns
                where
                    tutor_id = changed.tutor_id
                    and concern = 'getting_worse'
                    and concern = any(changed.counting)
                    and concern <> all(known.standing)
                    and 'unreliable' = any(known.standing)
                    and 'unreliable' <> all(changed.concerns)
                    and raised_on <= looked_on
            );
            is_opened := known.case_id is null
                or (
                    coalesce(known.closed_at < now() - interval '{{ var("case_relapse_days") }} days', false)
                    and not changed.counting <@ (known.standing || taken_over)
                );
            came := array(
                select name from unnest(array['{{ var("concerns") | join("', '") }}']) as name
                where name = any(changed.counting) and (is_opened or name <> all(known.standing || taken_over))
            );
            eased := array(select name from unnest(known.standing) as name where name <> all(changed.concerns));
            select
                jsonb_agg(figure order by array_position(came, concern)) filter (where concern = any(came)),
                jsonb_agg(figure) filter (where concern = any(taken_over))
            into figures, taken_over_figures
            from (
                select
                    concern,
                    jsonb_build_object(
                        'concern', concern, 'probability', probability, 'threshold', threshold, 'trials', trials,
                        'events', events, 'raw_rate', raw_rate, 'expected', expected, 'low', low, 'high', high,
                        'raised_on', raised_on
                    ) as figure
                from marts.tutor_concerns
                where tutor_id = changed.tutor_id and concern = any(came || taken_over)
            ) as known_figures;
            exit when not is_opened;
            select
                max(as_of) as as_of,
                max(expected) filter (where concern = 'unreliable') as expected,
                max(low) filter (where concern = 'unreliable') as low,
                max(high) filter (where concern = 'unreliable') as high
            into opening
            from marts.tutor_concerns
            where tutor_id = changed.tutor_id;
            if is_drawn and came && about_let_downs then
                drawn_arm := marts.draw_arm(opening.as_of);
            end if;
            insert into app.cases (
                tutor_id, concerns, standing, snapshot, opened_by, opened_on, arm, snoozed_until,
                let_down_rate_expected, let_down_rate_low, let_down_rate_high
            )
            select
                changed.tutor_id, came, came, figures, 'tutorq', opening.as_of, drawn_arm,
                case when drawn_arm = 'later' then today + {{ var('case_effect_days') }} end,
                opening.expected, opening.low, opening.high
            on conflict do nothing
            returning * into known;
            if found then
                insert into app.case_events (case_id, kind, actor, version, details)
                values (
                    known.case_id,
                    'opened',
                    'tutorq',
                    known.version,
                    jsonb_strip_nulls(jsonb_build_object('arm', known.arm))
                    || jsonb_build_object('concerns', figures)
                );
                if known.arm = 'later' then
                    insert into app.case_events (case_id, kind, actor, version, details)
                    values (
                        known.case_id,
                        'changed',
                        'tutorq',
                        known.version,
                        jsonb_build_object(
                            'snoozed_until', jsonb_build_object('from', null, 'to', known.snoozed_until),
                            'text',
                            'The order of talks is drawn: this one waits until '
                            || to_char(known.snoozed_until, 'FMDD FMMonth YYYY') || '.'
                        )
                    );
                end if;
                came := '{}';
                taken_over := '{}';
                eased := '{}';
                exit;
            end if;
        end loop;

        if is_told then
            perform marts.tell_concerns(changed.tutor_id, newly_raised, newly_cleared);
        end if;
        update app.cases
        set
            standing = array(select name from unnest(standing) as name where name <> all(eased)) || came || taken_over,
            concerns = concerns || array(
                select name from unnest(case when closed_at is null then came || taken_over else came end) as name
                where name <> all(concerns)
            )
        where case_id = known.case_id
        returning * into known;
        if known.closed_at is null or came <> '{}' then
            if eased <> '{}' then
                insert into app.case_events (case_id, kind, actor, version, details)
                values (
                    known.case_id,
                    case when known.standing = '{}' then 'suggested' else 'eased' end,
                    'tutorq',
                    known.version + 1,
                    jsonb_build_object('concerns', eased)
                    || case
                        when taken_over_figures is null then '{}' else jsonb_build_object('taken_over', taken_over_figures)
                    end
                );
            end if;
            follow_up := known.due_on;
            snooze := known.snoozed_until;
            moved := '{}';
            if came <> '{}' then
                if known.closed_at is not null then
                    follow_up := null;
                elsif known.state in ('contacted', 'plan_agreed', 'monitoring') then
                    -- What is late already stays late.
                    follow_up := least(known.due_on, today);
                end if;
                -- More of what it was drawn for ends no waiting.
                if not coalesce(
                    known.arm = 'later'
                    and came <@ about_let_downs
                    and known.opened_at > now() - interval '{{ var("case_effect_days") }} days',
                    false
                ) then
                    snooze := null;
                end if;
                if known.closed_at is null and follow_up is distinct from known.due_on then
                    moved := moved || jsonb_build_object(
                        'due_on', jsonb_build_object('from', known.due_on, 'to', follow_up)
                    );
                end if;
                if known.closed_at is null and snooze is null and known.snoozed_until > today then
                    moved := moved || jsonb_build_object(
                        'snoozed_until', jsonb_build_object('from', known.snoozed_until, 'to', null)
                    );
                end if;
                insert into app.case_events (case_id, kind, actor, version, details)
                values (
                    known.case_id,
                    case when known.closed_at is null then 'joined' else 'reopened' end,
                    'tutorq',
                    known.version + 1,
                    moved || jsonb_build_object('concerns', figures)
                );
            end if;
            if eased <> '{}' or came <> '{}' then
                -- Whoever has left, or may only read by now, keeps no case that comes back.
                has_owner := known.owner_id is not null
                    and (
                        known.closed_at is null
                        or exists (
                            select from app.people
                            where person_id = known.owner_id and is_active and role <> 'read'
                        )
                    );
                update app.cases
                set
                    version = version + 1,
                    changed_at = now(),
                    suggested_at = case when standing = '{}' then now() end,
                    snoozed_until = snooze,
                    reopened_at = case when closed_at is null then reopened_at else now() end,
                    contacted_at = case when closed_at is null then contacted_at end,
                    due_on = follow_up,
                    owner_id = case when has_owner then owner_id end,
                    state = case
                        when closed_at is null then state
                        when has_owner then 'assigned'
                        else 'new'
                    end,
                    reason = null,
                    closed_at = null
                where case_id = known.case_id;
            end if;
        end if;
    end loop;
    perform set_config('tutorq.untold', 'off', true);
end
