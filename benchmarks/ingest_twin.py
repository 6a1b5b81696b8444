"""`POST /api/sessions` as most people would write it: FastAPI, a Pydantic model, and a commit per request.

Same tables and triggers, stubs of unknown people, and the same keys, remembered as long; on asyncpg without an ORM. No
conflicts, no quarantine, no reschedules, no Idempotency-Key, no limits, no log lines.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, Field

from api.database import open_pool
from api.key_ring import Caller, KeyRing
from core.roles import Role
from ingest.ids import entity_uuid, external_id

ADD_TUTOR = "insert into raw.tutors (tutor_id, external_id, is_stub) values ($1, $2, true) on conflict do nothing"
ADD_STUDENT = "insert into raw.students (student_id, external_id, is_stub) values ($1, $2, true) on conflict do nothing"
UPSERT = """
insert into raw.sessions as t (
    session_id, external_id, tutor_id, student_id, scheduled_time, status, subject, duration_minutes, rating, updated_at
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (session_id) do update set
    external_id = excluded.external_id, tutor_id = excluded.tutor_id, student_id = excluded.student_id,
    scheduled_time = excluded.scheduled_time, status = excluded.status, subject = excluded.subject,
    duration_minutes = excluded.duration_minutes, rating = excluded.rating, updated_at = excluded.updated_at,
    loaded_at = now()
where t.updated_at is null or excluded.updated_at > t.updated_at
"""
POOL_SIZE = 20


class Session(BaseModel):
    session_id: str = Field(max_length=200)
    tutor_id: str = Field(max_length=200)
    student_id: str = Field(max_length=200)
    scheduled_time: datetime
    status: Literal["scheduled", "completed", "rescheduled", "cancelled", "no_show"]
    subject: str | None = None
    duration_minutes: int | None = Field(default=None, ge=0)
    rating: float | None = Field(default=None, ge=1, le=5)
    updated_at: datetime | None = None


class Receipt(BaseModel):
    session_id: str
    status: str


def create_app(url: str) -> FastAPI:
    """The twin, on the database at a URL."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        async with open_pool(url, size=POOL_SIZE) as pool:
            yield {"pool": pool, "key_ring": KeyRing(pool)}

    async def require_key(request: Request, secret: Annotated[str, Security(APIKeyHeader(name="X-API-Key"))]) -> None:
        caller = await request.state.key_ring.find(secret)
        if not isinstance(caller, Caller) or caller.role not in (Role.INGEST, Role.ADMIN):
            raise HTTPException(401)

    app = FastAPI(lifespan=lifespan)

    @app.post("/api/sessions", status_code=202, dependencies=[Depends(require_key)])
    async def post_session(request: Request, session: Session) -> Receipt:
        tutor_id, student_id = entity_uuid(session.tutor_id), entity_uuid(session.student_id)
        async with request.state.pool.acquire() as connection, connection.transaction():
            await connection.execute(ADD_TUTOR, tutor_id, external_id(session.tutor_id))
            await connection.execute(ADD_STUDENT, student_id, external_id(session.student_id))
            await connection.execute(UPSERT, *values(session, tutor_id, student_id))
        return Receipt(session_id=session.session_id, status="queued")

    return app


def values(session: Session, tutor_id: UUID, student_id: UUID) -> tuple[object, ...]:
    """Parameters of `UPSERT`."""
    return (
        entity_uuid(session.session_id),
        external_id(session.session_id),
        tutor_id,
        student_id,
        session.scheduled_time,
        session.status,
        session.subject,
        session.duration_minutes,
        session.rating,
        session.updated_at,
    )


if __name__ == "__main__":
    uvicorn.run(
        create_app(sys.argv[1]),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
    )
