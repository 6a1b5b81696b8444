"""What the endpoints of kinds of mail give."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from reports.kinds import Audience, ReportKind


class KindOfMail(BaseModel):
    """A kind of mail, whether it is on, and when it is due next."""

    kind: ReportKind
    title: str = Field(examples=["Weekly report"])
    about: str = Field(description="What it tells, in one sentence.")
    audience: Audience = Field(
        description="`staff`: the addresses of TUTORQ_STAFF_EMAILS; `leads`: these, leads and admins; `tutors`: each "
        "tutor with an address; `asker`: who has asked for it."
    )
    recipients: list[str] | None = Field(
        description="Addresses of staff and leads; the first letter and the domain unless an admin asks. Null for "
        "tutors and askers.",
        examples=[["h…@example.org"]],
    )
    when: str = Field(description="What makes it due.", examples=["Every Monday"])
    next_at: AwareDatetime | None = Field(
        description="When it is looked for next, in the reporting zone; null if no hour makes it due, it is off, or "
        "nothing is published yet."
    )
    is_on: bool
    off_because: str | None = Field(
        description="Why nobody gets it, with the setting.", examples=["TUTORQ_TUTOR_SNAPSHOTS is false."]
    )
    setting: str = Field(description="The variable that decides.", examples=["TUTORQ_STAFF_EMAILS"])
    last_sent_at: AwareDatetime | None = Field(description="When the last one was sent, tests aside.")
    last_report_id: UUID | None = Field(description="That mail, in the log.")
    has_preview: bool = Field(description="False for log-in links: a link in a preview would work.")


class KindsMeta(BaseModel):
    """What all kinds have in common."""

    provider: str = Field(
        description="`TUTORQ_MAIL_PROVIDER`; with `file`, mail is written to files and reaches nobody.",
        examples=["smtp"],
    )
    timezone: str = Field(examples=["Europe/Vienna"])
    has_begun: bool = Field(description="False until the first scores are published: before, no mail is queued.")


class KindsResponse(BaseModel):
    """Every kind of mail."""

    data: list[KindOfMail]
    meta: KindsMeta


class PreviewedMail(BaseModel):
    """A mail as it would look now."""

    subject: str
    text: str = Field(description="The plain part.")
    html: str = Field(description="The HTML part; to show it, use `/preview/html` in a sandboxed frame.")


class Preview(BaseModel):
    """A mail of one kind, made of the newest figures; nothing is queued."""

    kind: ReportKind
    mail: PreviewedMail | None = Field(description="Null as long as there is nothing to make one of.")
    missing: str | None = Field(description="What there is not yet.", examples=["No tutor is flagged."])


class PreviewResponse(BaseModel):
    """A mail of one kind as it would look now."""

    data: Preview


class QueuedTest(BaseModel):
    """A test that was queued."""

    report_id: UUID = Field(description="That mail, in the log.")
    recipient: str = Field(description="Your own address, or chat.", examples=["ann@example.org"])


class QueuedTestResponse(BaseModel):
    """A test that was queued."""

    data: QueuedTest
