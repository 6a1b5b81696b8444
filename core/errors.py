"""Errors that are told to a person in one line."""


class TutorqError(Exception):
    """Something the user can act on: its text says what is wrong and what to do."""


class DatabaseUnreachableError(TutorqError):
    """Nobody answers where the database should be; trying again later may help."""
