-- Views that read a table themselves and are ours to change.
select distinct
    views.oid,
    views.oid::regclass::text as name,
    views.relowner::regrole::text as owner,
    coalesce('with (' || array_to_string(views.reloptions, ', ') || ')', '') as options
from pg_depend
inner join pg_rewrite on pg_depend.classid = 'pg_rewrite'::regclass and pg_depend.objid = pg_rewrite.oid
inner join pg_class as views on pg_rewrite.ev_class = views.oid and views.relkind = 'v'
where
    pg_depend.refclassid = 'pg_class'::regclass
    and pg_depend.refobjid = relation
    and pg_has_role(views.relowner, 'usage')
