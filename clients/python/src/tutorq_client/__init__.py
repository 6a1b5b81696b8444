"""Client of the tutorq API.

`Client` is the way in. Models and operations of the whole API are in `tutorq_client.generated`.
"""

from tutorq_client.client import Client, Receipt, SessionResult
from tutorq_client.problems import ProblemError

__all__ = ["Client", "ProblemError", "Receipt", "SessionResult"]
