"""Rows in quarantine can be sealed: what SQL finds them by is noted when they come."""

from alembic import op

revision = "0052"
down_revision = "0051"

NAMED = """
alter table raw.quarantine
    alter column content_md5 drop expression,
    alter column delivered_id drop expression;
create function raw.name_refused_row() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    new.content_md5 := md5(new.content);
    new.delivered_id := raw.delivered_id(new.entity, new.content);
    return new;
end
$$;
comment on function raw.name_refused_row() is 'Notes what a row in quarantine is found by, before it is sealed.';
revoke all on function raw.name_refused_row() from public;
create trigger named before insert on raw.quarantine for each row execute function raw.name_refused_row();
create index quarantine_unsealed on raw.quarantine (quarantine_id) where not starts_with(content, 'sealed:');
comment on column raw.quarantine.content is
    'The row as delivered, as JSON (or as text if it could not be split); after `sealed:`, encrypted with '
    'TUTORQ_SECRETS_KEY.';
comment on column raw.quarantine.content_md5 is 'Of the row as delivered: tells that the same one has come again.';
"""

# Sealed rows stay sealed, and their id is unknown then: the key is not here.
UNDO = """
drop index raw.quarantine_unsealed;
drop trigger named on raw.quarantine;
drop function raw.name_refused_row();
alter table raw.quarantine drop column content_md5, drop column delivered_id;
alter table raw.quarantine
    add column content_md5 text not null generated always as (md5(content)) stored,
    add column delivered_id text generated always as (raw.delivered_id(entity, content)) stored,
    add unique (entity, source, line, content_md5);
create index quarantine_delivered_id on raw.quarantine (delivered_id);
comment on column raw.quarantine.content is 'The row as delivered, as JSON (or as text if it could not be split).';
comment on column raw.quarantine.delivered_id is 'Id of tutor, student or session, as delivered; null if unreadable.';
"""


def upgrade() -> None:
    op.execute(NAMED)


def downgrade() -> None:
    op.execute(UNDO)
