"""`python -m tools.docs`: write into build/docs what `zensical build` makes the site of (zensical.toml)."""

import os
import sys

from core.settings import PROJECT_ROOT
from tools.docs import diagrams, site

BUILD = PROJECT_ROOT / "build"
TARGET = BUILD / "docs"


def main() -> int:
    # On GitHub; elsewhere, files that are no pages are named without a link.
    server, name, ref = (os.environ.get(f"GITHUB_{part}") for part in ("SERVER_URL", "REPOSITORY", "REF_NAME"))
    site.write(PROJECT_ROOT, TARGET, f"{server}/{name}/blob/{ref}" if server and name and ref else None)
    diagrams.write(TARGET, BUILD / "downloads")
    return 0


if __name__ == "__main__":
    sys.exit(main())
