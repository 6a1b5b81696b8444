"""Does the rule flag the right tutors? Judged by the hidden truth of the demo, through the real pipeline."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_folder

pytestmark = pytest.mark.soak


@dataclass(frozen=True)
class Verdict:
    """How many tutors a rule flags, and how many of these are truly poor."""

    flagged: int
    truly_poor: int

    @property
    def precision(self) -> float:
        return self.truly_poor / self.flagged


def test_flags_are_right_far_more_often_than_a_raw_cut(
    environment: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_demo(tmp_path / "demo", seed=1)
    load_folder(database.as_role(DatabaseRole.INGEST), tmp_path / "demo", timezone="UTC")
    dbt_runner.build(environment, database)

    truth = pd.read_csv(tmp_path / "demo" / ".truth" / "tutors.csv")
    with database.connect() as connection:
        scores = pd.DataFrame(
            connection.execute(
                "select external_id, is_high_risk, let_down_rate_90d from marts.tutor_scores"
            ).fetchall(),
            columns=["tutor_id", "is_high_risk", "let_down_rate_90d"],
        )
    tutors = scores.merge(truth[["tutor_id", "is_poor"]], on="tutor_id", validate="one_to_one")

    def judge(flagged: pd.Series) -> Verdict:
        return Verdict(int(flagged.sum()), int(tutors.loc[flagged, "is_poor"].sum()))

    rule = judge(tutors["is_high_risk"].astype(bool))
    raw = judge(tutors["let_down_rate_90d"].fillna(0) > 0.15)
    with capsys.disabled():
        print(f"\nhigh_risk: {rule.precision:.0%} of {rule.flagged} truly poor; raw rate > 15%: ", end="")
        print(f"{raw.precision:.0%} of {raw.flagged}")
    assert rule.precision >= 0.8
    assert rule.precision > raw.precision
