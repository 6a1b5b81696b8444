"""What follows from the declared metrics is written, and what is out of date is found."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from api import openapi
from core.settings import PROJECT_ROOT
from tools import generate

LATE = """  metrics:
    - name: early_ends
      condition: ended_early
      label: Ended early
      description: "Sessions that ended early: by 5 minutes"
      rate: early_end_rate
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all generated files, and of the declaration; without the API, so that its description stays."""
    monkeypatch.setattr(openapi, "render", openapi.PATH.read_text)
    for path, _ in generate.generated(PROJECT_ROOT):
        copy = tmp_path / path.relative_to(PROJECT_ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    shutil.copy(PROJECT_ROOT / generate.DECLARATION, tmp_path / generate.DECLARATION)
    return tmp_path


def declare(project: Path, text: str) -> None:
    """Put a metric before the others."""
    path = project / generate.DECLARATION
    path.write_text(path.read_text().replace("  metrics:\n", text, 1))


def column(project: Path, model: str, name: str) -> dict[str, Any]:
    (described,) = yaml.safe_load((project / f"dbt_project/models/{model}.yml").read_text())["models"]
    (found,) = (each for each in described["columns"] if each["name"] == name)
    assert isinstance(found, dict)
    return found


def schema(project: Path, name: str) -> type[BaseModel]:
    namespace: dict[str, Any] = {}
    exec((project / "api/tutors/counts.py").read_text(), namespace)
    found: type[BaseModel] = namespace[name]
    return found


@pytest.mark.soak  # `make lint` says the same
def test_what_is_committed_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_what_is_out_of_date_is_named_in_one_line_and_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(project, LATE)
    before = (project / "docs/scoring.md").read_text()
    assert generate.main(["--check"], project) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "docs/scoring.md" in line
    assert line.endswith("run `make generate`")
    assert (project / "docs/scoring.md").read_text() == before, "a check writes nothing"
    assert generate.main([], project) == 0
    assert generate.main(["--check"], project) == 0


def test_a_metric_becomes_columns(project: Path) -> None:
    declare(project, LATE)
    generate.main([], project)
    what = "Sessions that ended early: by 5 minutes"
    assert column(project, "intermediate/int_tutor_days", "early_ends") == {
        "name": "early_ends",
        "description": f"{what}, on that day.",
    }
    assert column(project, "marts/tutor_scores", "early_ends_7d") == {
        "name": "early_ends_7d",
        "description": f"{what}, in the 7 days up to and including as_of.",
        "data_type": "bigint",
        "constraints": [{"type": "not_null"}],
    }
    rate = column(project, "marts/tutor_scores", "early_end_rate_90d")
    assert rate["data_type"] == "double precision"
    assert "constraints" not in rate, "null without sessions"
    assert "constraints" in column(project, "marts/platform_weekly", "early_end_rate"), "a week has sessions"
    assert "constraints" not in column(project, "marts/tutor_weekly", "early_ends"), "a view has none"
    assert "constraints" not in column(project, "marts/score_history", "early_ends_90d"), "null on earlier days"


def test_a_metric_becomes_fields_of_the_api(project: Path) -> None:
    declare(project, LATE)
    generate.main([], project)
    windows = dict.fromkeys(schema(project, "WindowCounts").model_fields, 0)
    assert list(windows)[:2] == ["early_ends_7d", "early_end_rate_7d"]
    schema(project, "WindowCounts")(**windows | {"early_end_rate_30d": None})
    with pytest.raises(ValidationError, match="early_ends_30d"):
        schema(project, "WindowCounts")(**windows | {"early_ends_30d": None})
    recorded = dict.fromkeys(schema(project, "RecordedCounts").model_fields)
    since_start = dict.fromkeys(("sessions_90d", "tutor_reschedules_90d", "reschedule_rate_90d"), 0)
    schema(project, "RecordedCounts")(**recorded | since_start)
    with pytest.raises(ValidationError, match="sessions_90d"):
        schema(project, "RecordedCounts")(**recorded)


def test_a_metric_comes_to_the_page_and_into_the_docs(project: Path) -> None:
    declare(project, LATE)
    generate.main([], project)
    page = (project / "dashboards/src/lib/metrics.ts").read_text()
    assert '{ name: "early_ends", label: "Ended early", rate: "early_end_rate" },' in page
    assert '{ name: "sessions", label: "Sessions", rate: null },' in page
    docs = (project / "docs/scoring.md").read_text()
    assert "| `early_ends` | Sessions that ended early: by 5 minutes | `ended_early` | `early_end_rate` |" in docs


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (LATE.replace("label:", "lable:"), "metrics.0.label: Field required"),
        (LATE.replace("early_ends", "Early ends"), "metrics.0.name: String should match"),
        (LATE.replace("early_end_rate", "reschedule_rate"), "reschedule_rate is declared more than once"),
    ],
)
def test_a_wrong_declaration_is_told_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], wrong: str, told: str
) -> None:
    declare(project, wrong)
    assert generate.main([], project) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_a_file_without_marks_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "docs/scoring.md"
    path.write_text(path.read_text().replace(generate.END, ""))
    assert generate.main([], project) == 1
    assert str(path) in capsys.readouterr().err


def test_other_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--chek"]) == 2
    assert "usage" in capsys.readouterr().err
