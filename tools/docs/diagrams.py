"""What draws the diagrams: Mermaid, from the npm registry, so that the site loads nothing from elsewhere."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

PACKAGE = "mermaid@12.3.0"
SHA512 = "4113TdXeLAsMruJ79OpFL5O8+LTFXhQqZ260rF3tgUmiNAtRm4Uume04I+65PRN6yZ69J4f8rVYWW8zRk65UYw=="
SCRIPT = "package/dist/mermaid.min.js"
LOADER = Path(__file__).parent / "diagrams.js"


def fetch(cache: Path) -> Path:
    """The script; from the registry if it is not in this folder yet.

    Raises:
        ValueError: what came is another file than the pinned one.
        subprocess.CalledProcessError: the registry cannot be reached; npm has said why.
    """
    archive = cache / f"{PACKAGE.replace('@', '-')}.tgz"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        programs = Path(sys.executable).parent
        environment = {**os.environ, "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", "")])}
        command = [str(programs / "npm"), "pack", "--silent", PACKAGE, "--pack-destination", str(cache)]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        archive.unlink()
        raise ValueError(f"{PACKAGE} from the registry has another checksum: {found}")
    with tarfile.open(archive) as opened:
        opened.extract(SCRIPT, cache, filter="data")
    return cache / SCRIPT


def write(target: Path, cache: Path) -> None:
    """Put the script, and what loads it where a page has a diagram, among the files of the site."""
    shutil.copy(fetch(cache), target / "assets" / "mermaid.min.js")
    shutil.copy(LOADER, target / "assets" / "diagrams.js")
