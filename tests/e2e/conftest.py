"""One `tutorq up` for all tests of a whole installation; `LONGEST_FIRST` in tests/conftest.py has their order.

Its people can log in at an OpenID provider, which is of another site than the dashboard, as in production.
"""

from collections.abc import Iterator

import oidc_provider_mock
import pytest

from demo import write_demo
from tests.e2e.installation import Installation
from tests.failures import keep_if_a_test_fails


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A home with landing files, in which nothing has been started."""
    installation = Installation(tmp_path_factory.mktemp("up"))
    keep_if_a_test_fails(installation.home)
    write_demo(installation.home / "landing", tutors=80, students=400, days=100, seed=11)
    (installation.home / "landing").chmod(0o700)
    with oidc_provider_mock.run_server_in_thread() as provider:
        installation.environment |= {
            "TUTORQ_OIDC_ISSUER": f"http://127.0.0.1:{provider.server_port}",
            "TUTORQ_OIDC_CLIENT_ID": "tutorq",
            "TUTORQ_OIDC_CLIENT_SECRET": "only-for-tests",
            # Receivers of webhooks are on this machine.
            "TUTORQ_WEBHOOKS_ALLOW_PRIVATE": "true",
            "TUTORQ_WEBHOOKS_ALLOW_HTTP": "true",
        }
        yield installation
        for process in installation.processes():
            process.kill()


@pytest.fixture
def complete(installation: Installation) -> Installation:
    """The same, up, with its history and predictions, and at rest."""
    installation.complete()
    return installation
