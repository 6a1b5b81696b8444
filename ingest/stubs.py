"""The SQL that adds tutors and students whom sessions name and nobody has described yet."""

# People who are parameters: an array each of ids and of external ids.
GIVEN_PEOPLE = "unnest($1::uuid[], $2::text[]) as named (id, external_id)"


def unknown_people(table: str, key: str, ids: str, external_ids: str) -> str:
    """Of people given as two arrays, those that a stub or an external id has to be written for."""
    return f"""
        select '{table}', named.id, named.external_id
        from unnest({ids}::uuid[], {external_ids}::text[]) as named (id, external_id)
        where not exists (
            select from raw.{table} as t
            where t.{key} = named.id and (t.external_id is not null or named.external_id is null)
        )
    """


def named_people(table: str) -> str:
    """Where the tutors or students that a sessions file names are staged."""
    return f"named_{table}"


def create_people(table: str) -> str:
    return f"create temp table {named_people(table)} (id uuid, external_id text) on commit drop"


def keep_staged(table: str, key: str, staged: str) -> str:
    """Take out of the staged people those whom no staged row names."""
    people = named_people(table)
    return f"delete from {people} as n where not exists (select from {staged} as s where s.{key} = n.id)"


def insert_stubs(table: str, key: str, people: str) -> str:
    return f"""
        insert into raw.{table} ({key}, external_id, is_stub)
        select distinct on (id) id, external_id, true from {people} order by id, external_id nulls last
        on conflict ({key}) do nothing
    """


def fill_external_ids(table: str, key: str, people: str) -> str:
    """Note the original id of people who were known by UUID only; locks in key order."""
    return f"""
        with target as (
            select t.{key} as id, n.external_id
            from raw.{table} as t
            inner join (
                select distinct on (id) id, external_id from {people}
                where external_id is not null
                order by id, external_id
            ) as n on n.id = t.{key}
            where t.external_id is null
            order by t.{key}
            for no key update of t
        )
        update raw.{table} as t
        set external_id = target.external_id, updated_at = now()
        from target
        where t.{key} = target.id
    """
