"""How people are named in addresses and bodies: by UUID, or by the external id it was made from."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from api.problems import NotFoundError
from ingest.contract import LONGEST_ID, NO_NUL
from ingest.ids import entity_uuid

NO_STUDENT = "There is no student with this id."
NO_TUTOR = "There is no tutor with this id."

PersonPath = Annotated[
    str,
    Path(min_length=1, max_length=LONGEST_ID, pattern=NO_NUL, description="UUID, or the external id as delivered."),
]


def uuid_of(person_id: str, missing: str) -> UUID:
    """
    Raises:
        NotFoundError: it is blank; nobody is called that.
    """
    try:
        return entity_uuid(person_id)
    except ValueError as error:
        raise NotFoundError(missing) from error
