"""What a key or a person may do."""

from enum import StrEnum


class Role(StrEnum):
    """`ingest` writes and does not read; each of the others includes the rights of those named before it."""

    READ = "read"
    # Changes what concerns their own tutors.
    COACH = "coach"
    # Changes what concerns any tutor or student.
    LEAD = "lead"
    INGEST = "ingest"
    ADMIN = "admin"


KEY_ROLES = (Role.READ, Role.INGEST, Role.ADMIN)
PERSON_ROLES = (Role.READ, Role.COACH, Role.LEAD, Role.ADMIN)
