"""Spelling that does not matter: of headers, of statuses and other words of a fixed list, of true and false."""


def normal(name: str) -> str:
    """A name as it is compared: its letters and digits only, in lower case (`No-Show ` is `noshow`)."""
    return "".join(character for character in name.casefold() if character.isalnum())
