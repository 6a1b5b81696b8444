"""What a release needs: versions that fit, a dated chapter, actions that are pinned, units that systemd takes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core.settings import PROJECT_ROOT
from tools import release

CHANGELOG = """# Changelog

## [Unreleased]

- not yet

## [1.2.0] - 2026-12-01

- new ([how](docs/a.md#b), [site](https://example.org))

## [1.1.0] - 2026-11-30

- old
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "package.json").write_text('{"version": "1.2.0"}')
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "deploy" / "helm").mkdir(parents=True)
    (tmp_path / "deploy" / "helm" / "Chart.yaml").write_text('apiVersion: v2\nversion: 1.2.0\nappVersion: "1.2.0"\n')
    return tmp_path


def test_the_notes_are_the_chapter_with_links_into_the_repository(checkout: Path) -> None:
    expected = "- new ([how](../../blob/v1.2.0/docs/a.md#b), [site](https://example.org))"
    assert release.notes("v1.2.0", checkout) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pyproject.toml", '[project]\nversion = "1.3.0"\n', "the tag should be v1.3.0"),
        ("dashboards/package.json", '{"version": "1.1.0"}', "dashboards/package.json is 1.1.0"),
        ("deploy/helm/Chart.yaml", 'version: 1.2.0\nappVersion: "1.1.0"\n', "another version or appVersion"),
        ("CHANGELOG.md", CHANGELOG.replace(" - 2026-12-01", ""), "has no chapter"),
        ("CHANGELOG.md", CHANGELOG.replace("1.2.0", "1.2.1"), "has no chapter"),
    ],
)
def test_what_does_not_fit_is_told(checkout: Path, name: str, text: str, message: str) -> None:
    (checkout / name).write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        release.notes("v1.2.0", checkout)


def test_this_version_is_ready_to_be_tagged() -> None:
    version = re.search(r'^version = "(.+)"$', (PROJECT_ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    assert release.notes(f"v{version[1]}").startswith("The first release")


def test_actions_of_a_release_are_pinned_and_each_job_has_no_more_rights_than_it_needs() -> None:
    text = (PROJECT_ROOT / ".github" / "workflows" / "release.yml").read_text()
    uses = re.findall(r"uses: (.+)", text)
    assert len(uses) >= 9
    assert [each for each in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    writes = {
        name: {right for right, how in job.get("permissions", {}).items() if how == "write"}
        for name, job in workflow["jobs"].items()
    }
    assert writes == {
        "gate": set(),
        "wheel": {"contents", "id-token", "attestations"},
        "image": {"packages", "id-token", "attestations"},
    }
    # The chart asks for the image of its appVersion, which has no v.
    named, build = (step for step in workflow["jobs"]["image"]["steps"] if step.get("id") in ("name", "build"))
    assert "tag=${GITHUB_REF_NAME#v}" in named["run"]
    assert build["with"]["tags"] == "${{ steps.name.outputs.image }}:${{ steps.name.outputs.tag }}"
    assert all(workflow["jobs"][name]["needs"] == "gate" for name in ("wheel", "image"))


@pytest.mark.soak
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = PROJECT_ROOT / "deploy" / "systemd"
    for unit in units.iterdir():
        (tmp_path / unit.name).write_text(
            unit.read_text().replace("/opt/tutorq/bin/tutorq", shutil.which("true") or "")
        )
    files = sorted(map(str, tmp_path.iterdir()))
    told = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")
    # 0 is least exposed, 10 most; the server it runs has no rights of root, and writes in its own folder alone.
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(units / "tutorq.service")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.soak
def test_bills_of_materials_name_every_package(tmp_path: Path) -> None:
    """As `make sbom` makes them."""
    venv = tmp_path / "venv"
    uv = [sys.executable, "-m", "uv"]
    lock = ["--no-deps", "--require-hashes", "-r", str(PROJECT_ROOT / "tools" / "locks" / "sbom.lock")]
    for command in (["venv", "--quiet", str(venv)], ["pip", "install", "--quiet", "--python", str(venv), *lock]):
        subprocess.run([*uv, *command], check=True)
    pinned = PROJECT_ROOT / "deploy" / "requirements.lock"
    written = tmp_path / "python.cdx.json"
    of_python = [str(venv / "bin" / "cyclonedx-py"), "requirements", str(pinned), "--pyproject", "pyproject.toml"]
    subprocess.run([*of_python, "--of", "JSON", "-o", str(written)], cwd=PROJECT_ROOT, capture_output=True, check=True)
    bill = json.loads(written.read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "tutorq")
    names = re.findall(r"^([a-z0-9._-]+)==", pinned.read_text(), re.M)
    assert sorted({each["name"] for each in bill["components"]}) == sorted(set(names))

    programs = Path(sys.executable).parent
    of_page = [str(programs / "npm"), "sbom", "--sbom-format", "cyclonedx", "--package-lock-only"]
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    page = subprocess.run(
        of_page, cwd=PROJECT_ROOT / "dashboards", env=environment, capture_output=True, text=True, check=True
    )
    bill = {each["name"]: each["scope"] for each in json.loads(page.stdout)["components"]}
    needed = json.loads((PROJECT_ROOT / "dashboards" / "package.json").read_text())["dependencies"]
    assert {name: bill.get(name) for name in needed} == dict.fromkeys(needed, "required")
    assert bill["vite"] == "optional"
