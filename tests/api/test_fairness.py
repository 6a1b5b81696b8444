"""The fairness audit over HTTP: groups in words, what is said of them, and what is not."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import yaml

from api.fairness.schemas import FairnessResponse
from core import keys
from core.fairness import (
    AGE_BANDS,
    CAUSED_DAYS,
    LEAST_TUTORS,
    TENURE_BANDS,
    TENURES,
    VOLUME_BANDS,
    FairnessGroup,
    GroupDimension,
    label,
    sentences,
)
from core.roles import Role
from core.settings import PROJECT_ROOT
from tests.api.conftest import Served
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem

PATH = "/api/fairness"
ROWS = """
insert into marts.fairness_groups (
    group_key, as_of, measure, dimension, level, person, tutors, trials, is_too_few, events, share, low, high,
    other_tutors, other_trials, other_events, other_share, let_down_rate, other_let_down_rate, p_value, q_value,
    is_difference
)
select measure || dimension || level, date '2026-01-31', measure, dimension, level, person, tutors, trials,
    tutors < 20, events, share, greatest(0, share - 0.05), share + 0.05, 300 - tutors, 300 - trials, null, other_share,
    let_downs, other_let_downs, q_value, q_value, coalesce(q_value <= 0.1, false)
from (
    values
    ('raised', 'volume', '150', null, 40, 40, 8, 0.2, 0.08, 0.12, 0.09, 0.04),
    ('raised', 'volume', '20', null, 60, 60, 5, 0.083, 0.09, 0.07, 0.07, 0.6),
    ('raised', 'all', 'all', null, 300, 300, 25, 0.083, null, 0.08, null, null::double precision),
    ('raised', 'subject', 'Söhne & maths', null, 19, 19, null, null, null, null, null, null),
    ('excused', 'time_zone', 'Asia/Kolkata', null, 30, 240, 5, 0.02, 0.11, null, null, 0.002),
    ('excused', 'tenure', '90', null, 30, 100, 10, 0.1, 0.1, null, null, 0.9),
    ('excused_in_case', 'excused_by', 'a', 'Ann Lee (person 3)', 25, 50, 40, 0.8, 0.2, null, null, 0.01),
    ('excused_in_case', 'excused_by', 'b', 'Bo', 3, 60, null, null, null, null, null, null),
    ('excuses_given', 'excused_by', 'a', 'Ann Lee (person 3)', 28, 110, 50, 0.45, null, null, null, null),
    ('excuses_given', 'excused_by', 'b', 'Bo', 28, 110, 60, 0.55, null, null, null, null)
) as known (
    measure, dimension, level, person, tutors, trials, events, share, other_share, let_downs, other_let_downs, q_value
)
"""


@pytest.fixture(scope="module")
def groups(published: Served) -> Iterator[None]:
    """Known groups in place of those of the small marketplace."""
    with published.database.connect() as connection:
        connection.execute("create table public.kept_groups as select * from marts.fairness_groups")
        connection.execute("truncate marts.fairness_groups")
        connection.execute(ROWS)
    yield
    with published.database.connect() as connection:
        connection.execute("truncate marts.fairness_groups")
        connection.execute("insert into marts.fairness_groups select * from public.kept_groups")
        connection.execute("drop table public.kept_groups")


def asked(client: httpx2.Client) -> Any:
    answer = client.get(PATH)
    assert answer.status_code == 200, answer.text
    assert_is(FairnessResponse, answer.content)
    return answer.json()["data"]


@pytest.mark.usefixtures("groups")
def test_groups_come_in_order_with_their_words(client: httpx2.Client) -> None:
    known = asked(client)
    assert [(each["dimension"], each["label"]) for each in known["raised"]] == [
        ("all", "All tutors"), ("subject", "Söhne & maths"), ("volume", "20 to 59"), ("volume", "150 or more"),
    ]  # fmt: skip
    assert [each["label"] for each in known["excused"]] == ["3 to 12 months", "Asia/Kolkata"]
    small = known["raised"][1]
    assert (small["tutors"], small["is_too_few"], small["events"], small["share"]) == (19, True, None, None)
    assert [(each["person"], each["excuses"], each["tutors"], each["given_share"]) for each in known["people"]] == [
        ("Bo", 60, 3, 0.55), ("Ann Lee (person 3)", 50, 25, 0.45),
    ]  # fmt: skip


@pytest.mark.usefixtures("groups")
def test_only_what_is_more_than_chance_is_said(client: httpx2.Client) -> None:
    assert asked(client)["sentences"] == [
        "Tutors with 150 or more sessions in 90 days: 20% have a concern raised (15% to 25%), other tutors 8.0%. "
        "Let-downs: 12% of their sessions, of others' 9.0%.",
        "Tutors in Asia/Kolkata: 2.0% of the sessions that they moved, cancelled or missed are excused (0% to "
        "7.0%), of other tutors' 11%.",
        "Ann Lee (person 3): 80% of their excuses were given while the tutor had an open case (75% to 85%), of other "
        "people's 20%.",
        "5 comparisons; 2 groups with fewer than 20 tutors left out. About one in ten differences named here may be "
        "chance.",
    ]


def group(dimension: GroupDimension, level: str, **figures: Any) -> FairnessGroup:
    nothing = dict.fromkeys(("events", "share", "low", "high", "other_share", "q_value"))
    counts = {"tutors": 30, "trials": 30, "is_too_few": False, "is_difference": False}
    return FairnessGroup.model_validate({"dimension": dimension, "level": level, **nothing, **counts, **figures})


def test_where_nothing_differs_that_is_said() -> None:
    alike = group(GroupDimension.AGE, "40", share=0.2, other_share=0.1, q_value=0.6)
    assert sentences([alike], [alike], []) == ["No difference is more than chance.", "2 comparisons."]
    small = group(GroupDimension.AGE, "0", is_too_few=True)
    assert sentences([alike, small], [], []) == [
        "No difference is more than chance.",
        "1 comparison; 1 group with fewer than 20 tutors left out.",
    ]


def test_where_nothing_can_be_compared_that_is_said() -> None:
    said = [
        "Nothing can be compared yet: a group needs 20 tutors, so do all others together, and some of them must be "
        "raised or excused."
    ]
    assert sentences([], [], []) == said
    # Large groups, of whom nobody is raised.
    assert sentences([group(GroupDimension.AGE, "40", events=0, share=0, low=0, high=0.1)], [], []) == said
    assert sentences([group(GroupDimension.AGE, "0", is_too_few=True)], [], []) == said


def test_words_and_bands_are_those_of_the_formulas() -> None:
    declared = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text())["vars"]
    assert declared["tenure_bands"] == list(TENURE_BANDS)
    assert [0, *declared["tenure_bands"]] == [int(band) for band in TENURES]
    assert declared["volume_bands"] == list(VOLUME_BANDS)
    assert declared["age_bands"] == list(AGE_BANDS)
    assert (declared["fairness_days"], declared["fairness_least_tutors"]) == (CAUSED_DAYS, LEAST_TUTORS)


@pytest.mark.parametrize(
    ("dimension", "level", "words"),
    [
        (GroupDimension.TENURE, "0", "under 3 months"),
        (GroupDimension.VOLUME, "0", "under 20"),
        (GroupDimension.AGE, "40", "40 to 54"),
        (GroupDimension.AGE, "55", "55 or more"),
        (GroupDimension.SUBJECT, "Maths", "Maths"),
    ],
)
def test_levels_in_words(dimension: GroupDimension, level: str, words: str) -> None:
    assert label(group(dimension, level)) == words


def test_who_gets_in(published: Served, unpublished: Served, client: httpx2.Client) -> None:
    with published.client(None) as nobody:
        problem(nobody.get(PATH), 401)
    # It names those who excuse.
    with unpublished.client(unpublished.key) as reader:
        problem(reader.get(PATH), 403)
    with unpublished.database.connect() as connection:
        admin = str(keys.create(connection, "admin", Role.ADMIN).secret)
    with unpublished.client(admin) as lead:
        problem(lead.get(PATH), 503)
    problem(client.get(PATH, params={"subject": "maths"}), 400)
