"""What is planted in the demo is what its files show, and the truth beside them says so with dates."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from demo import write_demo
from demo.truth import FOLDER

UNTIL = datetime(2026, 11, 19, 17, 20, tzinfo=UTC)  # a Thursday
README = Path(__file__).parents[2] / "demo" / "README.md"


@dataclass(frozen=True)
class World:
    folder: Path
    sessions: pd.DataFrame
    """Final ones, with `counted_on`, `is_let_down`, `weekday` (1-7), `hour`, `is_first`."""

    def truth(self, name: str) -> pd.DataFrame:
        return read(self.folder / FOLDER / name)


def read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    for column in table.columns.intersection(["starts_on", "ends_on", "full_on", "left_on", "cause_from"]):
        table[column] = pd.to_datetime(table[column])
    return table


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder, until=UNTIL)
    return World(folder, final_sessions(folder))


def final_sessions(folder: Path) -> pd.DataFrame:
    times = ["scheduled_time", "started_at", "cancelled_at"]
    sessions = pd.read_csv(folder / "sessions.csv.gz", parse_dates=times)
    moves = pd.read_csv(folder / "reschedules.csv.gz", parse_dates=["requested_at"])
    moves = moves.rename(columns={"initiator": "moved_by"})[["session_id", "moved_by", "requested_at"]]
    known = sessions[sessions["status"] != "scheduled"].merge(moves, on="session_id", how="left")
    known["counted_on"] = known[["scheduled_time", "requested_at", "cancelled_at"]].min(axis=1).dt.tz_localize(None)
    known["counted_on"] = known["counted_on"].dt.normalize()
    dropped = known["status"].isin(["cancelled", "no_show"]) & (known["initiator"] == "tutor")
    known["is_let_down"] = (known["moved_by"] == "tutor") | dropped
    known["weekday"] = known["scheduled_time"].dt.day_of_week + 1
    known["day"] = known["scheduled_time"].dt.tz_localize(None).dt.normalize()
    known["hour"] = known["scheduled_time"].dt.hour
    done = known[known["status"] == "completed"].groupby(["tutor_id", "student_id"])["scheduled_time"].min()
    first = known.join(done.rename("first_time"), on=["tutor_id", "student_id"])["first_time"]
    known["is_first"] = first.isna() | (known["scheduled_time"] <= first)
    return known


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sessions and events of three worlds: days off come together, so that few tutors in one world say little."""
    sessions, events = [], []
    for seed in range(3):
        folder = tmp_path_factory.mktemp("demo")
        write_demo(folder, until=UNTIL, seed=seed)
        for parts, table in ((sessions, final_sessions(folder)), (events, read(folder / FOLDER / "events.csv"))):
            parts.append(table.assign(tutor_id=table["tutor_id"] + f" {seed}"))
    return pd.concat(sessions), pd.concat(events)


def around(sessions: pd.DataFrame, events: pd.DataFrame, event: str) -> pd.DataFrame:
    """Sessions of tutors with the event, `is_after` once it shows in full, without the days in between."""
    rows = sessions.merge(events[events["event"] == event], on="tutor_id")
    rows = rows[(rows["day"] < rows["starts_on"]) | (rows["day"] > rows["full_on"])]
    # Of the days to come only what was called off is final.
    rows = rows[rows["day"] < pd.Timestamp(UNTIL.date())]
    return rows.assign(is_after=rows["day"] > rows["full_on"])


def test_the_truth_is_described_column_by_column(world: World) -> None:
    text = README.read_text()
    for path in (world.folder / FOLDER).iterdir():
        _, section = text.split(f"`{path.name}`", 1)
        described = set(re.findall(r"`(\w+)`", section.split("\n###", 1)[0]))
        assert set(read(path).columns) <= described, path.name


def test_what_is_planted_has_dates_within_the_history(world: World) -> None:
    first, last = pd.Timestamp("2026-05-25"), pd.Timestamp(UNTIL.date())
    events, concerns = world.truth("events.csv"), world.truth("concerns.csv")
    assert events["starts_on"].between(first, last).all()
    assert (events["full_on"] >= events["starts_on"]).all()
    assert concerns["starts_on"].between(first, last).all()
    assert (concerns["ends_on"].dropna() <= last).all()
    planted = {"worse", "better", "coached", "lets_go", "starts_missing", "starts_late", "days_off"}
    assert set(events["event"]) == planted
    assert set(concerns["concern"]) == {
        "unreliable", "getting_worse", "no_shows", "late_starts", "loses_new_students", "low_ratings",
    }  # fmt: skip
    began = events[events["event"].isin(["worse", "better"])]["starts_on"]
    assert began.max() - began.min() > pd.Timedelta(days=60), "at random times"


def test_shares_follow_the_truth_in_all(world: World) -> None:
    tutors = world.truth("tutors.csv").set_index("tutor_id")
    recent = world.sessions[world.sessions["day"] > pd.Timestamp(UNTIL.date()) - pd.Timedelta(days=90)]
    counted = recent.groupby("tutor_id")["is_let_down"].agg(["sum", "size"])
    expected = (counted["size"] * tutors["let_down_probability_90d"].reindex(counted.index)).sum()
    assert counted["sum"].sum() == pytest.approx(expected, rel=0.05)
    assert tutors["let_down_probability_90d"][~tutors.index.isin(counted.index)].isna().all()


@pytest.mark.parametrize("event", ["worse", "better", "coached"])
def test_habits_change_by_as_much_as_the_truth_says(several: tuple[pd.DataFrame, pd.DataFrame], event: str) -> None:
    sessions, events = several
    rows = around(sessions, events, event)
    if event == "coached":
        rows = rows[rows["share_after"] < rows["share_before"]]
        assert len(rows["tutor_id"].unique()) >= 12
    is_off = rows["is_let_down"] & ~((rows["status"] == "no_show") & (rows["initiator"] == "tutor"))
    changes = events[events["event"] != "days_off"]
    others = rows[["tutor_id", "starts_on"]].drop_duplicates().merge(changes, on="tutor_id", suffixes=("", "_of_other"))
    for is_after, share in ((False, "share_before"), (True, "share_after")):
        sign = 1 if is_after else -1
        is_changed = sign * (others["starts_on_of_other"] - others["starts_on"]) > pd.Timedelta(0)
        part = (rows["is_after"] == is_after) & ~rows["tutor_id"].isin(others.loc[is_changed, "tutor_id"])
        assert part.sum() > 200
        assert is_off[part].mean() == pytest.approx(rows.loc[part, share].mean(), rel=0.15, abs=0.01)
    assert (is_off[rows["is_after"]].mean() > is_off[~rows["is_after"]].mean()) == (event == "worse")


def test_some_who_are_coached_do_not_change(world: World) -> None:
    events = world.truth("events.csv")
    coached = events[events["event"] == "coached"]
    assert 0 < (coached["share_after"] == coached["share_before"]).sum() < len(coached)


def test_who_is_off_lets_nearly_everything_down(world: World) -> None:
    events = world.truth("events.csv")
    off = events[events["event"] == "days_off"]
    assert (off["full_on"] - off["starts_on"]).dt.days.max() >= 4, "an illness of a week"
    rows = world.sessions.merge(off, on="tutor_id")
    rows = rows[(rows["day"] >= rows["starts_on"]) & (rows["day"] <= rows["full_on"])]
    assert rows["is_let_down"].mean() > 0.85


def test_late_tutors_are_late(world: World) -> None:
    held = world.sessions[world.sessions["status"] == "completed"]
    late = held["started_at"] - held["scheduled_time"] > pd.Timedelta(minutes=5)
    tutors = world.truth("tutors.csv").set_index("tutor_id")
    recent = held["day"] > pd.Timestamp(UNTIL.date()) - pd.Timedelta(days=14)
    counted = late[recent].groupby(held["tutor_id"][recent]).agg(["mean", "size"])
    truth = tutors["late_probability"].reindex(counted.index)
    for is_late in (True, False):
        chosen = (tutors["plan"].reindex(counted.index) == "late") == is_late
        shares = [np.average(each[chosen], weights=counted["size"][chosen]) for each in (counted["mean"], truth)]
        assert shares[0] == pytest.approx(shares[1], rel=0.1)
    assert truth.max() > 0.2


def test_cancelling_tutors_cancel_and_missing_tutors_miss(world: World) -> None:
    plan = world.sessions["tutor_id"].map(world.truth("tutors.csv").set_index("tutor_id")["plan"])
    cancelled = (world.sessions["status"] == "cancelled") & (world.sessions["initiator"] == "tutor")
    of_let_downs = cancelled[world.sessions["is_let_down"]].groupby(plan).mean()
    assert of_let_downs["cancelling"] > 0.6
    assert of_let_downs["ordinary"] < 0.1
    missed = ((world.sessions["status"] == "no_show") & (world.sessions["initiator"] == "tutor")).groupby(plan).mean()
    assert missed["missing"] > 5 * missed["ordinary"]


def test_weekdays_and_subjects_have_the_odds_of_the_truth(world: World) -> None:
    """Against the commonest level, within tutors (Mantel and Haenszel), as the case mix of scores does it."""
    effects, patterns = world.truth("effects.csv"), world.truth("patterns.csv")
    sessions = world.sessions[~world.sessions["tutor_id"].isin(patterns["tutor_id"])]
    for dimension in ("weekday", "subject"):
        odds = effects[effects["dimension"] == dimension].set_index("level")["odds"]
        levels = sessions[dimension].astype(str)
        usual = levels.value_counts().index[0]
        for level in odds.index.drop(usual):
            found = odds_ratio(sessions, levels == level, levels == usual)
            assert found == pytest.approx(odds[level] / odds[usual], rel=0.2), level


def odds_ratio(sessions: pd.DataFrame, inside: pd.Series, outside: pd.Series) -> float:
    down = sessions["is_let_down"]
    masks = (inside & down, inside & ~down, outside & down, outside & ~down)
    a, b, c, d = (mask.groupby(sessions["tutor_id"]).sum() for mask in masks)
    total = (a + b + c + d).replace(0, np.nan)
    return float((a * d / total).sum() / (b * c / total).sum())


def test_patterns_are_in_the_slots_that_the_truth_names(world: World) -> None:
    levels = {
        "weekday": world.sessions["weekday"].astype(str),
        "daypart": pd.cut(
            world.sessions["hour"], [0, 9, 14, 18, 24], right=False, labels=["0-9", "9-14", "14-18", "18-24"]
        ).astype(str),
        "subject": world.sessions["subject"],
        "lesson": world.sessions["is_first"].map({True: "first", False: "repeated"}),
    }
    patterns = world.truth("patterns.csv")
    assert set(patterns["dimension"]) == set(levels)
    found = []
    for pattern in patterns.itertuples():
        own = world.sessions["tutor_id"] == pattern.tutor_id
        inside = own & (levels[pattern.dimension] == pattern.level)
        assert 0 < inside.sum() < own.sum() / 1.5
        found.append([world.sessions["is_let_down"][part].mean() for part in (inside, own & ~inside)])
    rates, others = np.array(found).T
    assert rates.mean() == pytest.approx(patterns["rate"].mean(), abs=0.05)
    assert others.mean() == pytest.approx(patterns["other_rate"].mean(), abs=0.02)
    assert rates.mean() > 2.5 * others.mean()


def test_students_miss_lessons_where_their_cause_is(world: World) -> None:
    """What a student missed before says what they will miss."""
    students = world.truth("students.csv.gz").set_index("student_id")
    sessions = world.sessions.join(students, on="student_id")
    missed = (sessions["status"] == "no_show") & (sessions["initiator"] == "student")
    by_cause = missed.groupby(sessions["cause"]).mean()
    assert by_cause["forgetful"] > 4 * by_cause["none"]
    mondays = sessions["cause"] == "mondays"
    assert missed[mondays & (sessions["weekday"] == 1)].mean() > 4 * missed[mondays & (sessions["weekday"] > 1)].mean()
    is_late = sessions["hour"] >= 18
    evenings = sessions["cause"] == "evenings"
    assert missed[evenings & is_late].mean() > 2.5 * missed[evenings & ~is_late].mean()
    losing = sessions["cause"] == "losing_interest"
    before = sessions["day"] < sessions["cause_from"]
    assert missed[losing & ~before].mean() > 4 * missed[losing & before].mean()
    half = sessions["day"] < pd.Timestamp("2026-08-15")
    has_missed = sessions["student_id"].isin(sessions["student_id"][missed & half])
    assert missed[~half & has_missed].mean() > 1.5 * missed[~half & ~has_missed].mean()
    expected = (sessions["no_show_probability"]).mean()
    assert missed.mean() == pytest.approx(expected, rel=0.2)


def test_strugglers_lose_new_students_and_leavers_stop(world: World) -> None:
    tutors = world.truth("tutors.csv").set_index("tutor_id")
    pairs = world.truth("pairs.csv.gz")
    stays = pairs["goes_on"].groupby(pairs["tutor_id"].map(tutors["plan"])).mean()
    assert stays["losing_new_students"] < stays["ordinary"] - 0.15
    left = tutors["left_on"].dropna()
    assert len(left) >= 5
    last = world.sessions.groupby("tutor_id")["day"].max()
    assert (last.reindex(left.index).dropna() < left).all()
    lets_go = around(world.sessions, world.truth("events.csv"), "lets_go")
    assert lets_go["is_let_down"][lets_go["is_after"]].mean() > lets_go["is_let_down"][~lets_go["is_after"]].mean()


def test_the_first_week_is_like_the_others(world: World) -> None:
    """Whole, with sessions enough for a rate; and nothing is counted before it."""
    week = world.sessions["counted_on"] - pd.to_timedelta(world.sessions["counted_on"].dt.day_of_week, unit="D")
    weeks = world.sessions.groupby(week)["is_let_down"].agg(["mean", "size"])
    assert weeks.index[0] == pd.Timestamp("2026-05-25")
    assert weeks["size"].iloc[0] > weeks["size"].median() / 3
    assert weeks["mean"].iloc[0] == pytest.approx(world.sessions["is_let_down"].mean(), abs=0.03)


def test_a_day_of_the_same_week_shows_the_same_marketplace_further_on(world: World, tmp_path: Path) -> None:
    earlier = UNTIL - timedelta(days=2)
    write_demo(tmp_path, until=earlier)
    assert (tmp_path / "students.csv").read_bytes() == (world.folder / "students.csv").read_bytes()
    then, now = final_sessions(tmp_path), world.sessions
    columns = ["session_id", "tutor_id", "scheduled_time", "status", "started_at", "rating", "is_let_down"]
    both = then[columns].merge(now[columns], on="session_id", how="left", suffixes=("", "_now")).set_index("session_id")
    for column in columns[1:]:
        assert both[column].equals(both[f"{column}_now"].rename(column)), column
    later = now[~now["session_id"].isin(then["session_id"])]
    assert (later["counted_on"] >= pd.Timestamp(earlier.date())).all()


def test_a_week_later_nearly_the_same_is_a_week_later(world: World, tmp_path: Path) -> None:
    """But for the season."""
    write_demo(tmp_path, until=UNTIL + timedelta(days=7))
    week = pd.Timedelta(days=7)
    for name in ("events.csv", "concerns.csv"):
        here, there = world.truth(name), read(tmp_path / FOLDER / name)
        dates = here.columns.intersection(["starts_on", "ends_on", "full_on"])
        columns = [column for column in here.columns if column not in ("share", "threshold")]
        if name == "events.csv":
            assert here.assign(**{each: here[each] + week for each in dates})[columns].equals(there[columns])
    now, then = world.sessions, final_sessions(tmp_path)
    then["scheduled_time"] -= week
    both = now.merge(then, on="session_id", suffixes=("", "_then"))
    assert len(both) > 0.9 * len(now)
    assert (both["is_let_down"] == both["is_let_down_then"]).mean() > 0.98
    assert (both["scheduled_time"] == both["scheduled_time_then"]).mean() > 0.8


def test_a_date_on_a_monday_begins_a_week(tmp_path: Path) -> None:
    sunday = write_demo(tmp_path / "sunday", tutors=6, students=30, days=28, until=date(2026, 11, 22))
    monday = write_demo(tmp_path / "monday", tutors=6, students=30, days=28, until=date(2026, 11, 23))
    assert monday.first_day - sunday.first_day == timedelta(days=7)
    assert sunday.first_day == date(2026, 10, 19)
