"""What endpoints ask for, as aliases for their signatures.

What one resource alone asks for stands beside its endpoints.
"""

from typing import Annotated

from fastapi import Depends, Query

from api.audit_writer import AuditWriter
from api.auth import Require, signed_in
from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.database import Marts
from api.publication import NoParameters
from api.state import from_state
from api.teams import Teams
from core.roles import Role

AuditWriterDep = Annotated[AuditWriter, from_state("audit_writer")]
MartsDep = Annotated[Marts, from_state("marts")]
TeamsDep = Annotated[Teams, from_state("teams")]
# No query parameters: any is a mistake.
NoQuery = Annotated[NoParameters, Query()]

# By a key or at a browser, with this role or one above.
REQUIRE_READER = Depends(Require(Role.READ))
CurrentReader = Annotated[AnyCaller, REQUIRE_READER]
CurrentCoach = Annotated[AnyCaller, Depends(Require(Role.COACH))]
CurrentLead = Annotated[AnyCaller, Depends(Require(Role.LEAD))]
CurrentIngester = Annotated[AnyCaller, Depends(Require(Role.INGEST, Role.LEAD))]
CurrentAdmin = Annotated[AnyCaller, Depends(Require(Role.ADMIN))]
# At a browser, with any role.
CurrentBrowser = Annotated[BrowserCaller, Depends(signed_in)]
