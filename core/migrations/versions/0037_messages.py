"""The weekly report, samples of the demo, and what the page Messages reads."""

from alembic import op

revision = "0037"
down_revision = "0036"

OPT_OUT_KINDS = "'session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert', 'notification'"
APPEAL_KINDS = "'appeal_received', 'appeal_answer', 'appeal_reminder'"
KINDS = f"{OPT_OUT_KINDS}, 'log_in_link', {APPEAL_KINDS}"
STATES = "'queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed'"


def constraints(kinds: str, opt_out_kinds: str, states: str) -> str:
    return f"""
    alter table app.email_reports
        drop constraint email_reports_kind_check,
        add constraint email_reports_kind_check check (channel = 'webhook' or kind in ({kinds})),
        drop constraint email_reports_state_check,
        add constraint email_reports_state_check check (state in ({states}));
    alter table app.mail_opt_outs
        drop constraint mail_opt_outs_kind_check,
        add constraint mail_opt_outs_kind_check check (kind in ({opt_out_kinds}));
    """


# The page asks for the last mail of each kind; without the index, a kind that was never sent reads the whole table.
MESSAGES = """
create index email_reports_last_sent_idx on app.email_reports (kind, settled_at) where state = 'sent';
comment on column app.email_reports.state is
    'sample: made up with the demo, for nobody; it is never sent.';
grant select on app.report_switches, raw.refused_files to tutorq_api;
"""

UNDO = """
revoke select on app.report_switches, raw.refused_files from tutorq_api;
comment on column app.email_reports.state is null;
drop index app.email_reports_last_sent_idx;
delete from app.email_reports where kind = 'weekly_report' or state = 'sample';
delete from app.mail_opt_outs where kind = 'weekly_report';
delete from app.report_switches where switch = 'weekly_report';
"""


def upgrade() -> None:
    op.execute(constraints(f"{KINDS}, 'weekly_report'", f"{OPT_OUT_KINDS}, 'weekly_report'", f"{STATES}, 'sample'"))
    op.execute(MESSAGES)


def downgrade() -> None:
    op.execute(UNDO)
    op.execute(constraints(KINDS, OPT_OUT_KINDS, STATES))
