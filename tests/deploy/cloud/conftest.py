"""For what is marked `cloud`: run by `make cloud` in an environment of its own, which has none of tutorq's packages."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
AWS = ROOT / "deploy" / "aws"
Templates = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder with all templates of the example installation, by preset. Fails with what cdk-nag finds."""
    made: dict[str, Path] = {}

    def synthesise(preset: str) -> Path:
        if preset not in made:
            folder = tmp_path_factory.mktemp(preset)
            example = (AWS / "installation.example.toml").read_text()
            (folder / "installation.toml").write_text(example.replace('preset = "small"', f'preset = "{preset}"'))
            ran = subprocess.run(
                [sys.executable, "app.py"],
                cwd=AWS,
                env={
                    **os.environ,
                    "TUTORQ_INSTALLATION": str(folder / "installation.toml"),
                    "TUTORQ_IMAGE_TAG": "abc123",
                    "CDK_OUTDIR": str(folder / "out"),
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, (ran.stdout + ran.stderr)[-5000:]
            made[preset] = folder / "out"
        return made[preset]

    return synthesise


@pytest.fixture(scope="session", params=["small", "large"])
def templates(request: pytest.FixtureRequest, synthesised: Callable[[str], Path]) -> Templates:
    """The templates of a preset by stack: registry, data, migration, services, page."""
    folder = synthesised(request.param)
    return {
        path.name.removeprefix("tutorq-").removesuffix(".template.json"): json.loads(path.read_text())
        for path in folder.glob("*.template.json")
    }
