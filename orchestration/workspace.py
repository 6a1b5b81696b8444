"""Which code locations Dagster shows: tutorq's own, and those of the user (`TUTORQ_CODE_LOCATIONS`)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from core.errors import TutorqError

# For the web server of `tutorq up`: the port of the code location that starts beside it.
WAIT_FOR_PORT = "TUTORQ_UP_CODE_LOCATION_PORT"


def workspace(host: str, port: int, code_locations: Sequence[str]) -> str:
    """The text of a workspace file: tutorq's code location server, then each module or file of the user.

    The webserver and the daemon each start a process for a module or a file; one that cannot be loaded is shown with
    its error, and the others go on.

    Raises:
        TutorqError: a name is there twice, or a file is not there.
    """
    ours = {"grpc_server": {"host": host, "port": port, "location_name": "tutorq"}}
    theirs = list(_entries(code_locations))
    names = ["tutorq", *(next(iter(entry.values()))["location_name"] for entry in theirs)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise TutorqError(f"TUTORQ_CODE_LOCATIONS: two code locations are named {twice!r}; rename a file or module")
    return yaml.safe_dump({"load_from": [ours, *theirs]}, sort_keys=False)


def _entries(code_locations: Sequence[str]) -> Iterator[dict[str, dict[str, Any]]]:
    for given in code_locations:
        if not given.endswith(".py"):
            yield {"python_module": {"module_name": given, "location_name": given.rpartition(".")[2]}}
            continue
        path = Path(given).expanduser().resolve()
        if not path.is_file():
            raise TutorqError(f"TUTORQ_CODE_LOCATIONS: there is no file {path}")
        # Beside its own modules, as if it had been started there.
        yield {
            "python_file": {
                "relative_path": str(path),
                "working_directory": str(path.parent),
                "location_name": path.stem,
            }
        }
