"""`python -m api`: serve the API until interrupted."""

import gc
import sys

import uvicorn
from pydantic import ValidationError

from api import logs
from api.app import create_app
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import settings_of_process

SHUTDOWN_SECONDS = 10


def main() -> None:
    """Run one worker; requests under way are finished before it stops."""
    settings = settings_of_process()
    try:
        Database(settings, DatabaseRole.API).check_settings()
    except TutorqError as error:
        sys.exit(f"error: {error}")
    # What has been imported stays. Left to the collector, it is gone through again and again: 100 ms each time.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http="httptools",
        log_config=logs.configuration(settings.log_level),
        access_log=False,
        # Only the limit of log-ins goes by the client's address; what others say of it is not believed.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main()
