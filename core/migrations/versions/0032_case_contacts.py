"""Cases: the day of a contact, corrections of contacts, and stand-ins who were asked."""

from alembic import op

revision = "0032"
down_revision = "0031"

KINDS = "'opened', 'joined', 'eased', 'suggested', 'reopened', 'changed', 'note', 'contact', 'closed'"

CONTACTS = f"""
alter table app.case_events
    drop constraint case_events_kind_check,
    add constraint case_events_kind_check check (kind in ({KINDS}, 'withdrawn', 'stand_in')),
    add column happened_on date,
    add column corrects bigint references app.case_events,
    add constraint case_events_day_check check (happened_on is null or kind = 'contact'),
    add constraint case_events_corrects_check check (
        (corrects is null or kind in ('contact', 'withdrawn')) and (kind <> 'withdrawn' or corrects is not null)
    );
create unique index on app.case_events (corrects);
comment on column app.case_events.happened_at is 'When it was noted.';
comment on column app.case_events.happened_on is
    'Of a contact: its day in the reporting zone; null if it was noted before days were kept: that of happened_at.';
comment on column app.case_events.corrects is
    'The contact that this one takes the place of, or withdraws. Each contact is corrected once at most; what corrects '
    'it may be corrected in turn.';
grant insert (happened_on, corrects) on app.case_events to tutorq_api;
"""

# The version before knows neither the new kinds, nor that a contact may be corrected: of those it would count both.
UNDO = f"""
alter table app.case_events disable trigger append_only, drop constraint case_events_corrects_fkey;
delete from app.case_events
where kind in ('withdrawn', 'stand_in')
    or event_id in (select corrects from app.case_events where corrects is not null);
alter table app.case_events
    enable trigger append_only,
    drop constraint case_events_kind_check,
    add constraint case_events_kind_check check (kind in ({KINDS})),
    drop column happened_on,
    drop column corrects;
"""


def upgrade() -> None:
    op.execute(CONTACTS)


def downgrade() -> None:
    op.execute(UNDO)
