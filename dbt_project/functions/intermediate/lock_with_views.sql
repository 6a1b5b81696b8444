-- Locks a table and its views, all or none: readers lock a view before its table, some lock several views, and whoever holds
-- one while it waits for another might do so for ever. After half a minute among readers who leave no gap it waits like
-- everybody else.
declare
    patience text := current_setting('lock_timeout');
    reader record;
begin
    for attempt in 1..60 loop
        begin
            -- Less than deadlock_timeout, after which Postgres would end one of the two.
            perform set_config('lock_timeout', case when attempt < 60 then '500ms' else patience end, true);
            -- Changes nothing, and locks the view alone, where `lock table` would lock all that it reads.
            for reader in select * from intermediate.views_of(relation) order by oid loop
                execute format('alter view %s owner to %s', reader.name, reader.owner);
            end loop;
            execute format('lock table %s in access exclusive mode', relation);
            exit;
        exception when lock_not_available then
            perform pg_sleep(0.01);
        end;
    end loop;
    perform set_config('lock_timeout', patience, true);
end
