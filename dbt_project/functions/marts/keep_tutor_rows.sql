-- What a list shows of a tutor, as JSON that is made once and not with every request: of 50 tutors, that takes 1 ms.
-- Called by whoever changes tutor_scores or tutor_concerns, in the same transaction; null stands for all tutors. The
-- brace at the end is left out, because the API adds what is not in these tables.
begin
    if tutors is not null and to_regclass('intermediate.tutor_rows') is null then
        return; -- only a run makes it; until then live writers have nothing to keep
    elsif tutors is null then
        if to_regclass('marts.tutor_scores') is null then
            return;
        end if;
        -- Live writers wait: none of their rows is written over.
        perform pg_advisory_xact_lock(7461004, 4);
        if to_regclass('intermediate.tutor_rows') is null then
            create table intermediate.tutor_rows (tutor_id uuid primary key, row_json text not null)
            with (toast_tuple_target = 8160);
            -- In the row and as it is: to fetch and unpack it would cost more than the rest of a list.
            alter table intermediate.tutor_rows alter row_json set storage main;
            grant select on intermediate.tutor_rows to tutorq_api;
        end if;
        -- At its end the version of this function: rows of another one are made anew by a run (tutor_scores).
        execute format(
            'comment on table intermediate.tutor_rows is %L',
            'One row per tutor: what a list shows of the tutor, as the text of a JSON object without its end. Version '
            || (select md5(prosrc) from pg_proc where oid = 'marts.keep_tutor_rows(uuid[])'::regprocedure)
        );
    end if;
    insert into intermediate.tutor_rows as rows
    select
        shown.tutor_id,
        left(row_to_json(shown)::text, -1) as row_json
    from (
        select
            scores.*,
            {% for concern in var('concerns') %}
                known.{{ concern }} as {{ concern }}_probability{{ ',' if not loop.last }}
            {% endfor %}
        from marts.tutor_scores as scores
        cross join lateral (
            select
                {% for concern in var('concerns') %}
                    max(probability) filter (where concern = '{{ concern }}') as {{ concern }}{{ ',' if not loop.last }}
                {% endfor %}
            from marts.tutor_concerns as concerns
            where concerns.tutor_id = scores.tutor_id
        ) as known
        where scores.tutor_id = any(coalesce(tutors, array(select tutor_id from marts.tutor_scores)))
    ) as shown
    on conflict (tutor_id) do update set row_json = excluded.row_json where rows.row_json <> excluded.row_json;
    delete from intermediate.tutor_rows as rows
    where
        rows.tutor_id = any(coalesce(tutors, array(select tutor_id from intermediate.tutor_rows)))
        and not exists (select from marts.tutor_scores as scores where scores.tutor_id = rows.tutor_id);
end
