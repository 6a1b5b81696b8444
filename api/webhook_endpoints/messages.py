"""What webhooks send, for the API's description: the events of the stream in the form of Standard Webhooks."""

from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, create_model
from pydantic.json_schema import models_json_schema

from api.events.schemas import DATA, Told
from api.webhook_endpoints.schemas import WebhookKind
from reports.webhooks import TEST


class EndpointTestData(BaseModel):
    """An admin has sent a test."""

    endpoint_id: UUID


class OfTutor(BaseModel):
    """About a tutor."""

    tutor_id: UUID
    tutor_external_id: str = Field(description="The id as delivered, or the UUID.", examples=["T-1042"])


def _data(event: type[BaseModel]) -> type[BaseModel]:
    """What the stream tells of an event, without its envelope, and without the tutor's name."""
    fields = {name: field for name, field in event.model_fields.items() if name not in {*Told.model_fields, "tutor"}}
    told: dict[str, Any] = {name: (field.annotation, field) for name, field in fields.items()}
    base = OfTutor if "tutor" in event.model_fields else BaseModel
    return create_model(f"{event.__name__}Data", __base__=base, __doc__=event.__doc__, **told)


def _message(kind: str, data: type[BaseModel]) -> type[BaseModel]:
    """The body of a message, by its kind."""
    name = "".join(word.capitalize() for word in kind.replace(".", "_").split("_"))
    type_: Any = Literal[kind]
    return create_model(
        f"{name}Message",
        __doc__=data.__doc__,
        type=(type_, Field()),
        timestamp=(AwareDatetime, Field(description="When it happened.")),
        data=(data, Field()),
    )


_DATA = {event: _data(event) for event in {DATA[kind] for kind in WebhookKind}}
MESSAGES = {kind.value: _message(kind, _DATA[DATA[kind]]) for kind in WebhookKind} | {
    TEST: _message(TEST, EndpointTestData)
}


def describe_webhooks(schema: dict[str, Any]) -> dict[str, Any]:
    """Add `webhooks` to the API's description, and the schemas of their bodies."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in MESSAGES.values()], ref_template="#/components/schemas/{model}"
    )
    schemas = schema["components"]["schemas"]
    schema["components"]["schemas"] = dict(sorted({**definitions["$defs"], **schemas}.items()))
    schema["webhooks"] = {
        kind: {
            "post": {
                "summary": kind,
                "description": model.__doc__,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
                },
                "responses": {f"{HTTPStatus.NO_CONTENT}": {"description": "Any 2xx: received"}},
            }
        }
        for kind, model in MESSAGES.items()
    }
    return schema
