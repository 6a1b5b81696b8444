"""`python -m api`: serve the API until interrupted."""

import gc
import sys
from contextlib import suppress

from uvicorn.config import STARTUP_FAILURE

from api import logs, shared_limits
from api.app import create_app
from api.drain import DrainingServer
from api.server import server_config
from core import tracing
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.processes import keep_files_private
from core.settings import settings_of_process


def main() -> None:
    """Run one worker; requests under way are finished before it stops."""
    keep_files_private()
    settings = settings_of_process()
    try:
        Database(settings, DatabaseRole.API).check_settings()
        tracing.check(settings)
        shared_limits.check(settings)
    except TutorqError as error:
        sys.exit(f"error: {error}")
    # What has been imported stays. Left to the collector, it is gone through again and again: 100 ms each time.
    gc.collect()
    gc.freeze()
    log_config = logs.configuration(settings.log_level)
    config = server_config(create_app(settings), settings, log_config=log_config)
    server = DrainingServer(config, settings.drain_seconds)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


if __name__ == "__main__":
    main()
