"""What the endpoints of kinds of mail give."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from reports.kinds import Audience, ReportKind


class KindOfMail(BaseModel):
    """A kind of mail, whether it is on, and when it is next due."""

    kind: ReportKind
    title: str = Field(examples=["Weekly report"])
    about: str = Field(description="Purpose in one sentence.")
    audience: Audience = Field(
        description="`staff`: the addresses in TUTORQ_STAFF_EMAILS; `leads`: these, leads and admins; `tutors`: each "
        "tutor with an address; `asker`: the person who asked."
    )
    recipients: list[str] | None = Field(
        description="Addresses of staff and leads; only first letter and domain unless an admin asks. Null for tutors "
        "and askers.",
        examples=[["h…@example.org"]],
    )
    when: str = Field(description="When it is due.", examples=["Every Monday"])
    next_at: AwareDatetime | None = Field(
        description="Next time it is due, in the reporting zone; null if it is not due at fixed hours, is off, or "
        "nothing is published yet."
    )
    is_on: bool
    off_because: str | None = Field(
        description="Why it is off, with the setting.", examples=["TUTORQ_TUTOR_SNAPSHOTS is false."]
    )
    setting: str = Field(description="The setting that switches it.", examples=["TUTORQ_STAFF_EMAILS"])
    last_sent_at: AwareDatetime | None = Field(description="When the last one was sent, except tests.")
    last_report_id: UUID | None = Field(description="Id of that mail in the log.")
    has_preview: bool = Field(description="False for log-in links: a link in a preview would work.")


class KindsMeta(BaseModel):
    """Settings common to all kinds."""

    provider: str = Field(
        description="`TUTORQ_MAIL_PROVIDER`; with `file`, mail is written to files and reaches nobody.",
        examples=["smtp"],
    )
    timezone: str = Field(examples=["Europe/Vienna"])
    has_begun: bool = Field(description="False until the first scores are published; no mail is queued before.")


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
    """A mail of one kind with the newest figures; nothing is queued."""

    kind: ReportKind
    mail: PreviewedMail | None = Field(description="Null while the data for it are missing.")
    missing: str | None = Field(description="The missing data.", examples=["No tutor is flagged."])


class PreviewResponse(BaseModel):
    """A mail of one kind as it would look now."""

    data: Preview


class QueuedTest(BaseModel):
    """A test that was queued."""

    report_id: UUID = Field(description="Id of that mail in the log.")
    recipient: str = Field(description="Your own address, or chat.", examples=["ann@example.org"])


class QueuedTestResponse(BaseModel):
    """A test that was queued."""

    data: QueuedTest
