"""What endpoints ask for is what the application makes."""

import importlib
import pkgutil
from typing import get_args, get_type_hints

from fastapi.params import Depends

import api
from api.lifespan import LifespanState
from api.state import FromState


def aliases() -> dict[str, tuple[object, str]]:
    """Every alias `Annotated[kind, from_state(name)]` of the package: where it stands, and its kind and name."""
    found = {}
    for module in pkgutil.walk_packages(api.__path__, "api."):
        if module.name == "api.__main__":
            continue
        for alias, value in vars(importlib.import_module(module.name)).items():
            if not hasattr(value, "__metadata__"):
                continue
            kind, *notes = get_args(value)
            for note in notes:
                if isinstance(note, Depends) and isinstance(note.dependency, FromState):
                    found[f"{module.name}.{alias}"] = (kind, note.dependency.name)
    return found


def test_aliases_have_the_types_of_the_lifespan() -> None:
    made = get_type_hints(LifespanState)
    asked = aliases()
    assert "api.dependencies.MartsDep" in asked
    assert {where: kind for where, (kind, _) in asked.items()} == {
        where: made.get(name) for where, (_, name) in asked.items()
    }
