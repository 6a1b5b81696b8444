"""The dashboard that the API serves, where one is built."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from tests.api.conftest import Served
from tests.api.test_problems import problem

PERSON = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def site(published: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    outside = tmp_path_factory.mktemp("site")
    (outside / "secret.txt").write_text("secret")
    dist = outside / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<title>dashboard</title>")
    (dist / "icon.svg").write_text("<svg/>")
    (dist / "assets" / "app-1f2e3d.js").write_text("let x")
    with TestClient(create_app(published.settings, dashboard=dist)) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/tutors", "/tutors/T-1", "/tutors/T.1", "/login", "/apis", "/index.html"])
def test_every_address_of_the_page_is_the_page_and_asked_for_each_time(site: TestClient, path: str) -> None:
    answer = site.get(path, headers=PERSON)
    assert (answer.status_code, answer.text) == (200, "<title>dashboard</title>")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    again = site.get(path, headers=PERSON | {"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_files_with_a_hash_are_kept_for_ever_and_others_not(site: TestClient) -> None:
    asset = site.get("/assets/app-1f2e3d.js")
    assert asset.text == "let x"
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "javascript" in asset.headers["content-type"]
    assert site.get("/icon.svg").headers["cache-control"] == "no-cache"


def test_a_file_that_is_gone_is_no_page(site: TestClient) -> None:
    problem(site.get("/assets/app-000000.js", headers={"Accept": "*/*"}), 404)
    # Whatever is answered under this name must not be kept under it.
    assert site.get("/assets/app-000000.js", headers=PERSON).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/tutors/x/y", "/api/auth", "/api/%2e%2e/x"])
def test_what_the_api_does_not_have_is_never_a_page(site: TestClient, path: str) -> None:
    answer = site.get(path, headers=PERSON)
    assert "dashboard" not in answer.text
    problem(answer, 404)


def test_the_api_is_as_it_is_without_a_dashboard(site: TestClient) -> None:
    problem(site.get("/api/tutors", headers=PERSON), 401)
    assert problem(site.post("/api/overview", headers=PERSON), 405)
    assert problem(site.post("/tutors"), 405)
    assert site.get("/api/health").status_code == 200


@pytest.mark.parametrize("path", ["/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/..%2f..%2fsecret.txt", "/a%00b",
                                  "/" + "a" * 5000])  # fmt: skip
def test_nothing_else_can_be_had(site: TestClient, path: str) -> None:
    answer = site.get(path)
    assert "secret" not in answer.text
    problem(answer, 404)


def test_the_page_may_load_from_here_alone(site: TestClient) -> None:
    headers = site.get("/tutors", headers=PERSON).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["frame-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_without_one_the_front_page_leads_to_the_description(published: Served, tmp_path: Path) -> None:
    with TestClient(create_app(published.settings, dashboard=tmp_path), follow_redirects=False) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/api/docs")
