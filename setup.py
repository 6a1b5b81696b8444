"""What the wheel carries besides code: what a checkout has beside the packages, in the folder `core/shipped`.

`make dist` has parsed the dbt project and built the page before. Everything else about the build is in pyproject.toml.
"""

import shutil
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
NEEDED = ("dbt_project/target/manifest.json", "dbt_project/target/partial_parse.msgpack", "dashboards/dist/index.html")
LEFT_OUT = shutil.ignore_patterns("target", "logs", "dbt_packages", ".*", "*.md", "__pycache__")


class BuildWithShipped(build_py):
    """Leaves editable installations alone: these read the checkout."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            ship(Path(self.build_lib) / "core" / "shipped")


def ship(target: Path) -> None:
    """
    Raises:
        FileNotFoundError: something is not built yet.
    """
    if missing := [name for name in NEEDED if not (ROOT / name).exists()]:
        raise FileNotFoundError(f"{', '.join(missing)}: build the wheel by `make dist`, which makes them")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "dbt_project", target / "dbt_project", ignore=LEFT_OUT)
    shutil.copytree(ROOT / "dashboards" / "dist", target / "dashboards" / "dist", ignore=LEFT_OUT)
    shutil.copy(ROOT / "pyproject.toml", target)  # Dagster finds its project by it
    (target / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", target / "deploy")
    parsed = target / "dbt_project" / "target"
    parsed.mkdir()
    shutil.copy(ROOT / "dbt_project" / "target" / "manifest.json", parsed)
    (parsed / "partial_parse.msgpack").write_bytes(
        without_files((ROOT / "dbt_project" / "target" / "partial_parse.msgpack").read_bytes())
    )


def without_files(parsed: bytes) -> bytes:
    """dbt's parsed project without what is for parsing again what has changed, since nothing of a wheel changes: the
    files with their times and the folders of the machine that built it, and its environment."""
    import msgpack

    project: dict[str, Any] = msgpack.unpackb(parsed)
    return bytes(msgpack.packb({**project, "files": {}, "env_vars": {}}))


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildWithShipped})
