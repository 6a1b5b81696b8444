"""`var` as dbt has it, so that sqlfluff reads loops over declared lists; its own `var` is always the word "item"."""

from pathlib import Path
from typing import Any

import yaml

_VARS = yaml.safe_load((Path(__file__).resolve().parents[2] / "dbt_project" / "dbt_project.yml").read_text())["vars"]


def var(name: str, default: Any = None) -> Any:
    return _VARS.get(name, default)
