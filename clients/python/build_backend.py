"""Builds with setuptools, once `tutorq_client.generated` has been made from `api/openapi.json`.

What is generated is 40,000 lines that follow from that file, so it is not in git. A source distribution holds it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403

HERE = Path(__file__).parent
DESCRIPTION = HERE.parents[1] / "api" / "openapi.json"
GENERATED = HERE / "src" / "tutorq_client" / "generated"


def generate() -> None:
    """
    Raises:
        FileNotFoundError: neither the description nor what follows from it is there.
        subprocess.CalledProcessError: the generator failed; it has said why.
    """
    if not DESCRIPTION.exists():
        if not GENERATED.exists():
            raise FileNotFoundError(f"Build it in a clone of tutorq: {DESCRIPTION} is missing")
        return
    # setuptools would put what is left of a former build into the next wheel.
    shutil.rmtree(HERE / "build", ignore_errors=True)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--overwrite"]
    # It formats with the ruff that is installed beside it.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    subprocess.run(
        [
            *command,
            *("--path", str(DESCRIPTION), "--config", str(HERE / "generator.json"), "--output-path", str(GENERATED)),
        ],
        env={**os.environ, "PATH": path},
        stdout=sys.stderr,
        check=True,
    )


def build_wheel(*arguments: Any, **named: Any) -> str:
    generate()
    return build_meta.build_wheel(*arguments, **named)


def build_sdist(*arguments: Any, **named: Any) -> str:
    generate()
    return build_meta.build_sdist(*arguments, **named)


def build_editable(*arguments: Any, **named: Any) -> str:
    generate()
    return build_meta.build_editable(*arguments, **named)
