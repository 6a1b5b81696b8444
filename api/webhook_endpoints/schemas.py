"""What the endpoints of webhooks take and give."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from api.bodies import Body
from api.paging import PageFilters, PagePlace
from core.outside import LONGEST_URL
from ingest.contract import NO_NUL, NOT_BLANK

LONGEST_DESCRIPTION = 200


class WebhookKind(StrEnum):
    """Kinds of events for endpoints."""

    CONCERN_RAISED = "tutor.concern_raised"
    CONCERN_CLEARED = "tutor.concern_cleared"
    SESSION_ALERT = "session.alert"
    CASE_CHANGED = "case.changed"
    PUBLICATION_DONE = "publication.done"


class WebhookState(StrEnum):
    """State of an endpoint. A disabled one receives nothing."""

    ACTIVE = "active"
    DISABLED = "disabled"


class DeliveryState(StrEnum):
    """`queued`: waits, perhaps for another attempt; `unknown`: the receiver may have it; `error` says why."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"


def _distinct(kinds: list[WebhookKind]) -> list[WebhookKind]:
    return sorted(set(kinds), key=list(WebhookKind).index)


Url = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL, pattern=NO_NUL)]
Kinds = Annotated[
    list[Annotated[WebhookKind, Field(strict=False)]], Field(min_length=1, max_length=50), AfterValidator(_distinct)
]
Description = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_DESCRIPTION, pattern=NOT_BLANK), AfterValidator(str.strip)
]
URL_HELP = "Where tutorq posts events: https, without a password, not in a private network. It is never shown again."
URL_EXAMPLES = ["https://marketplace.example.org/hooks/tutorq"]


class WebhookEndpointPost(Body):
    """A new endpoint."""

    url: Url = Field(description=URL_HELP, examples=URL_EXAMPLES)
    kinds: Kinds = Field(description="Kinds of events.")
    description: Description | None = Field(default=None, description="Purpose.", examples=["Back office"])


class WebhookEndpointPatch(Body):
    """Fields to change; others stay."""

    url: Url | None = Field(default=None, description=URL_HELP, examples=URL_EXAMPLES)
    kinds: Kinds | None = Field(default=None, description="Kinds of events from now on.")
    description: Description | None = Field(default=None, description="Purpose; null removes it.")
    state: Annotated[WebhookState | None, Field(strict=False)] = Field(
        default=None, description="`active` enables it from now on; `disabled` disables it."
    )


class WebhookEndpoint(BaseModel):
    """An address that receives events."""

    endpoint_id: UUID
    host: str = Field(
        description="The host of its address. The address is stored encrypted, because its path may contain a secret.",
        examples=["marketplace.example.org"],
    )
    description: str | None = Field(examples=["Back office"])
    kinds: list[WebhookKind]
    state: WebhookState
    disabled_by: Literal["person", "gone", "failing"] | None = Field(
        description="`gone`: it answered 410; `failing`: nothing arrived for five days; null while it is active."
    )
    disabled_why: str | None = Field(description="The same in words.")
    failing_since: AwareDatetime | None = Field(description="The first failure since the last success.")
    failures: int = Field(ge=0, description="Attempts that failed since the last success.")
    last_accepted_at: AwareDatetime | None = Field(description="When it last accepted a delivery.")
    waiting: int = Field(ge=0, description="Waiting deliveries, including those that wait for another attempt.")
    old_secret_until: AwareDatetime | None = Field(
        description="Until then, deliveries are also signed with the previous secret; null if there is none."
    )
    created_by: str = Field(examples=["Ann Lee (person 7)"])
    created_at: AwareDatetime
    changed_at: AwareDatetime


class WebhookEndpointList(BaseModel):
    """All endpoints, the oldest first."""

    data: list[WebhookEndpoint]


class WebhookEndpointResponse(BaseModel):
    """One endpoint."""

    data: WebhookEndpoint


class NewWebhookEndpoint(BaseModel):
    """A new endpoint with its secret, which cannot be shown again."""

    data: WebhookEndpoint
    secret: str | None = Field(
        description="Signs every delivery. Null if an Idempotency-Key gives this answer again.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class WebhookSecret(BaseModel):
    """A new secret, which cannot be shown again."""

    secret: str | None = Field(
        description="Signs every delivery from now on. Null if an Idempotency-Key gives this answer again.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    old_secret_until: AwareDatetime = Field(description="Until then, deliveries are also signed with the old one.")


class DeliveryFilters(PageFilters):
    """Which deliveries, and which page of them."""

    kind: list[WebhookKind | Literal["webhook.test"]] = Field(
        default=[], description="Any of these values; may be repeated."
    )
    state: list[DeliveryState] = Field(default=[], description="Any of these values; may be repeated.")


class WebhookDelivery(BaseModel):
    """One event for one endpoint."""

    delivery_id: UUID
    webhook_id: str = Field(
        description="The header `webhook-id`: the same at every attempt.",
        examples=["msg_5f0c1d5a5d0f4a63b5c5a6a0f0d4b7aa"],
    )
    kind: str = Field(examples=["tutor.concern_raised"])
    state: DeliveryState
    attempts: int = Field(ge=0, description="Attempts since it was queued, or last replayed by a person.")
    replays: int = Field(ge=0, description="How often a person replayed it.")
    answer_code: int | None = Field(description="The HTTP status of the last answer.", examples=[200])
    error: str | None = Field(description="Error of the last attempt.")
    created_at: AwareDatetime = Field(description="When it was queued.")
    next_attempt_at: AwareDatetime | None = Field(description="Next attempt; null unless it is queued.")
    settled_at: AwareDatetime | None = Field(description="When it got its final state; null before.")


class WebhookAttempt(BaseModel):
    """One attempt to deliver."""

    attempted_at: AwareDatetime = Field(description="When it ended.")
    outcome: Literal["accepted", "later", "unknown"] = Field(
        description="`later`: the receiver has not accepted it; `unknown`: it may have."
    )
    answer_code: int | None = Field(description="The HTTP status; null if there was no answer.", examples=[503])
    seconds: float = Field(ge=0, description="How long it took.")
    problem: str | None


class WebhookDeliveryDetail(WebhookDelivery):
    """One delivery with its body and its attempts."""

    body: str | None = Field(description="The JSON as it was sent; null before the first attempt.")
    tries: list[WebhookAttempt] = Field(description="Every attempt, the newest first.")


class WebhookDeliveryList(BaseModel):
    """A page of deliveries, the newest first."""

    data: list[WebhookDelivery]
    meta: PagePlace


class WebhookDeliveryResponse(BaseModel):
    """One delivery."""

    data: WebhookDeliveryDetail
