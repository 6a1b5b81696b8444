-- Has the views of one table read another one. A view that does not fit to its columns stays as it is.
declare
    reader record;
begin
    for reader in select * from intermediate.views_of(to_regclass(old_name)) order by oid loop
        begin
            execute format(
                'create or replace view %s %s as %s',
                reader.name,
                reader.options,
                replace(pg_get_viewdef(reader.oid), split_part(old_name, '.', 2), split_part(new_name, '.', 2))
            );
        exception when syntax_error_or_access_rule_violation then
            null;
        end;
    end loop;
end
