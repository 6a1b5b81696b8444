"""Cells that were left out of rows that were taken, kept as remarks; and the UUID of an id, in SQL."""

from alembic import op

revision = "0027"
down_revision = "0026"

REMARKS = """
alter table raw.quarantine add column is_remark boolean not null default false;
comment on table raw.quarantine is
    'What could not be taken, each with its place and the reason: rows, and cells of rows that were taken.';
comment on column raw.quarantine.is_remark is
    'The row was taken, and only the cells that the reason names were left empty.';

alter table raw.loads add column remarks bigint not null default 0;
comment on column raw.loads.remarks is
    'Of the rows that were taken, those with a cell that could not be read and was left empty.';
"""

# Postgres has no SHA-1 without an extension. FIPS 180-4, section 6.1.2; about 0.2 ms.
SHA1 = r"""
create function raw.sha1(message bytea) returns bytea
language plpgsql immutable strict parallel safe as $$
declare
    mask constant bigint := 4294967295;
    padded bytea := message || '\x80' || decode(repeat('00', (119 - length(message) % 64) % 64), 'hex')
        || int8send(length(message)::bigint * 8);
    h bigint[] := array[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
    w bigint[];
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; rotated bigint;
begin
    for block in 0 .. length(padded) / 64 - 1 loop
        for t in 0 .. 79 loop
            if t < 16 then
                w[t] := ('x' || encode(substr(padded, block * 64 + t * 4 + 1, 4), 'hex'))::bit(32)::bigint & mask;
            else
                rotated := w[t - 3] # w[t - 8] # w[t - 14] # w[t - 16];
                w[t] := ((rotated << 1) | (rotated >> 31)) & mask;
            end if;
        end loop;
        a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
        for t in 0 .. 79 loop
            if t < 20 then
                f := (b & c) | (~b & d & mask); k := 1518500249;
            elsif t < 40 then
                f := b # c # d; k := 1859775393;
            elsif t < 60 then
                f := (b & c) | (b & d) | (c & d); k := 2400959708;
            else
                f := b # c # d; k := 3395469782;
            end if;
            f := (((a << 5) | (a >> 27)) + f + e + k + w[t]) & mask;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := f;
        end loop;
        h := array[(h[1] + a) & mask, (h[2] + b) & mask, (h[3] + c) & mask, (h[4] + d) & mask, (h[5] + e) & mask];
    end loop;
    return decode(
        (select string_agg(lpad(to_hex(part), 8, '0'), '' order by place)
        from unnest(h) with ordinality as parts (part, place)), 'hex'
    );
end
$$;
comment on function raw.sha1(bytea) is 'The SHA-1 of some bytes, 20 bytes. For ids of version 5, not for secrets.';
"""

# As ingest/ids.py has it: the same namespace, the same odd forms, the same marks of empty cells, the same blanks.
ENTITY_UUID = r"""
create function raw.entity_uuid(id text) returns uuid
language plpgsql immutable strict parallel safe as $$
declare
    plain text := btrim(id, U&' \0009\000A\000B\000C\000D\001C\001D\001E\001F\0085\00A0\1680\2000\2001\2002\2003'
        || U&'\2004\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000');
    digest bytea;
begin
    if plain = any (array['', 'NULL', 'null', '\N', 'NaN', 'nan', 'NaT', '<NA>', '#N/A', 'N/A', 'n/a', '-', '--'])
        or plain ~ '^[0-9]([.,][0-9]{1,20})?[Ee]\+[0-9]{2,3}$'
    then
        return null;
    end if;
    if plain ~ '^[0-9]{1,30}\.0$' then
        plain := left(plain, -2);
    end if;
    if plain ~ '^([Uu][Rr][Nn]:[Uu][Uu][Ii][Dd]:)?([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})$'
        or plain ~ '^\{([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})\}$'
    then
        return regexp_replace(plain, '^[Uu][Rr][Nn]:[Uu][Uu][Ii][Dd]:', '')::uuid;
    end if;
    digest := substr(raw.sha1(decode('0d9d7c0e5b0a4c559d0b6a3f5a1c7e42', 'hex') || convert_to(plain, 'UTF8')), 1, 16);
    digest := set_byte(digest, 6, get_byte(digest, 6) & 15 | 80);
    return encode(set_byte(digest, 8, get_byte(digest, 8) & 63 | 128), 'hex')::uuid;
end
$$;
comment on function raw.entity_uuid(text) is
    'The UUID of a tutor, student or session by its id as delivered. Null for what is no id: a mark '
    'of an empty cell, or a number that Excel has rounded.';
"""
FUNCTIONS = "raw.sha1(bytea), raw.entity_uuid(text)"


def upgrade() -> None:
    for block in (REMARKS, SHA1, ENTITY_UUID):
        op.execute(block)
    op.execute(f"revoke all on function {FUNCTIONS} from public")
    op.execute(f"grant execute on function {FUNCTIONS} to tutorq_ingest, tutorq_api, tutorq_transform")


def downgrade() -> None:
    op.execute(f"drop function {FUNCTIONS}")
    op.execute("delete from raw.quarantine where is_remark")
    op.execute("alter table raw.quarantine drop column is_remark")
    op.execute("alter table raw.loads drop column remarks")
    op.execute("comment on table raw.quarantine is 'Rows that could not be taken, each with its place and the reason.'")
