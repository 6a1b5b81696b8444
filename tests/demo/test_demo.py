"""The demo marketplace: files as contracted, shares as promised, and a truth that the score can find."""

import gzip
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import TutorqError
from demo import DemoSummary, write_demo

UNTIL = datetime(2026, 11, 22, 17, 20, tzinfo=UTC)
COLUMNS = {
    "tutors": "tutor_id name email subjects is_active hired_at capacity age experience_years teaching_style "
    "preferred_pace communication_style time_zone",
    "students": "student_id name age subjects preferred_teaching_style preferred_pace communication_style "
    "urgency_level learning_goals",
    "sessions": "session_id tutor_id student_id scheduled_time status subject booked_at started_at "
    "completed_time cancelled_at duration_minutes rating initiator reason_code updated_at",
    "reschedules": "session_id initiator reason_code reason requested_at original_time new_time",
}
TIMES = {
    "sessions": ["scheduled_time", "booked_at", "started_at", "completed_time", "cancelled_at", "updated_at"],
    "reschedules": ["requested_at", "original_time", "new_time"],
}
ISO_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class World:
    summary: DemoSummary
    tutors: pd.DataFrame
    students: pd.DataFrame
    sessions: pd.DataFrame
    reschedules: pd.DataFrame
    truth: pd.DataFrame
    pairs: pd.DataFrame

    @property
    def final(self) -> pd.DataFrame:
        return self.sessions[self.sessions.status != "scheduled"]

    @property
    def moved(self) -> pd.DataFrame:
        """Reschedules with their sessions; the initiator of the reschedule is `moved_by`."""
        return self.reschedules.rename(columns={"initiator": "moved_by"}).merge(
            self.sessions.drop(columns="reason_code"), on="session_id"
        )


def read_times(folder: Path, entity: str) -> pd.DataFrame:
    """Times are converted one by one: a column may be empty in a small world, and then has no type."""
    table = pd.read_csv(folder / f"{entity}.csv.gz")
    for column in TIMES[entity]:
        table[column] = pd.to_datetime(table[column], utc=True)
    return table


def read(folder: Path, summary: DemoSummary) -> World:
    return World(
        summary,
        pd.read_csv(folder / "tutors.csv"),
        pd.read_csv(folder / "students.csv"),
        read_times(folder, "sessions"),
        read_times(folder, "reschedules"),
        pd.read_csv(folder / ".truth" / "tutors.csv"),
        pd.read_csv(folder / ".truth" / "pairs.csv.gz"),
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("demo")
    return read(folder, write_demo(folder, until=UNTIL))


def assert_consistent(world: World) -> None:
    """What holds in a marketplace of any size."""
    sessions, final, moved, until = world.sessions, world.final, world.moved, pd.Timestamp(world.summary.until)
    assert sessions.session_id.is_unique
    assert world.tutors.tutor_id.is_unique
    assert world.tutors.email.is_unique
    assert world.students.student_id.is_unique
    assert set(sessions.tutor_id) <= set(world.tutors.tutor_id)
    assert set(sessions.student_id) <= set(world.students.student_id)
    assert world.reschedules.session_id.is_unique
    assert set(world.reschedules.session_id) == set(sessions.session_id[sessions.status == "rescheduled"])

    length = pd.to_timedelta(sessions.duration_minutes, unit="m")
    assert (final.scheduled_time < until)[~final.status.isin(["rescheduled", "cancelled"])].all()
    assert (final.cancelled_at.dropna() <= until).all()
    assert (moved.requested_at <= until).all()
    assert (sessions.scheduled_time + length)[sessions.status == "scheduled"].gt(until - pd.Timedelta("10min")).all()
    assert sessions.scheduled_time.le(until + pd.Timedelta(days=15)).all()
    assert (sessions.booked_at < sessions.scheduled_time).all()
    assert (sessions.booked_at <= sessions.updated_at).all()
    assert (sessions.updated_at <= until).all()
    assert (sessions.completed_time.notna() == (sessions.status == "completed")).all()
    assert (sessions.completed_time.dropna() <= until).all()
    assert (sessions.started_at.notna() == (sessions.status == "completed")).all()
    assert (sessions.started_at < sessions.completed_time)[sessions.status == "completed"].all()
    assert (sessions.initiator.notna() == sessions.status.isin(["cancelled", "no_show"])).all()
    assert not sessions.rating[sessions.status != "completed"].notna().any()

    assert (moved.original_time == moved.scheduled_time).all()
    assert (moved.booked_at < moved.requested_at).all()
    assert (moved.requested_at < moved.original_time).all()
    agreed = moved[moved.new_time.notna()]
    assert (agreed.new_time > agreed.original_time).all()
    follow_ups = agreed.merge(
        sessions, left_on=["tutor_id", "student_id", "new_time"], right_on=["tutor_id", "student_id", "scheduled_time"]
    )
    assert set(agreed.session_id) == set(follow_ups.session_id_x)
    assert (follow_ups.session_id_x != follow_ups.session_id_y).all()

    taught = sessions.merge(world.tutors[["tutor_id", "subjects"]], on="tutor_id")
    wanted = sessions.merge(world.students[["student_id", "subjects"]], on="student_id")
    for lessons in (taught, wanted):
        kinds = lessons[["subject", "subjects"]].drop_duplicates()
        assert all(one in some.split(";") for one, some in zip(kinds.subject, kinds.subjects, strict=True))
    hired = pd.to_datetime(sessions.merge(world.tutors, on="tutor_id").hired_at, utc=True)
    assert (hired.to_numpy() <= sessions.scheduled_time.to_numpy()).all()

    pairs = sessions[["tutor_id", "student_id"]].drop_duplicates()
    assert len(pairs) == len(world.pairs) == len(world.pairs.merge(pairs)) == world.summary.pairs
    assert world.truth.tutor_id.tolist() == world.tutors.tutor_id.tolist()
    is_above = world.truth.let_down_probability > 0.15
    assert (world.truth.is_poor == (is_above & world.truth.left_on.isna())).all()
    assert world.truth.is_poor.sum() == world.summary.poor_tutors
    assert len(final) == world.summary.sessions
    assert len(sessions) - len(final) == world.summary.scheduled_sessions
    assert len(world.reschedules) == world.summary.reschedules


def test_a_world_is_consistent(world: World) -> None:
    assert_consistent(world)


def test_files_have_the_contracted_columns_and_nothing_else_is_left_behind(tmp_path: Path) -> None:
    write_demo(tmp_path, tutors=6, students=20, days=10, until=UNTIL)
    names = {"tutors": "tutors.csv", "students": "students.csv"}
    names |= {"sessions": "sessions.csv.gz", "reschedules": "reschedules.csv.gz"}
    assert {path.name for path in tmp_path.iterdir()} == {*names.values(), ".truth"}
    for entity, name in names.items():
        raw = (tmp_path / name).read_bytes()
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
        assert text.splitlines()[0] == ",".join(COLUMNS[entity].split())
    plain = pd.read_csv(tmp_path / "sessions.csv.gz", dtype=str)
    for column in TIMES["sessions"]:
        assert plain[column].dropna().map(lambda text: ISO_UTC.fullmatch(text) is not None).all()
    assert plain.session_id.map(lambda text: UUID4.fullmatch(text) is not None).all()
    assert plain.student_id.map(lambda text: UUID4.fullmatch(text) is not None).all()
    assert plain.tutor_id.str.fullmatch(r"tutor-\d{4}").all()


def test_values_are_in_range(world: World) -> None:
    tutors, students, sessions = world.tutors, world.students, world.sessions
    for column in (tutors.preferred_pace, tutors.communication_style, students.preferred_pace, students.urgency_level):
        assert set(column) == {1, 2, 3, 4, 5}
    for column in (tutors.teaching_style, students.preferred_teaching_style):
        assert set(column) == {"structured", "flexible", "interactive"}
    assert tutors.subjects.str.count(";").between(0, 3).all()
    assert tutors.age.between(21, 80).all()
    assert (tutors.age - tutors.experience_years >= 20).all()
    assert tutors.capacity.between(2, 1000).all()
    assert tutors.email.str.fullmatch(r"[a-z.]+\.\d+@example\.org").all()
    assert students.age.between(7, 74).all()
    assert not students.learning_goals.str.contains("[{}]").any()
    assert set(sessions.duration_minutes) == {30, 45, 60, 90}
    assert set(sessions.rating.dropna()) == {1, 2, 3, 4, 5}
    assert set(sessions.status) == {"scheduled", "completed", "rescheduled", "cancelled", "no_show"}
    assert set(world.reschedules.reason_code) == {"illness", "conflict", "emergency", "technical", "personal"}
    assert set(sessions.reason_code.dropna()) == {*world.reschedules.reason_code, "forgotten"}
    assert world.reschedules.reason.notna().all()


def test_shares_are_as_known_of_the_business(world: World) -> None:
    summary, final, moved = world.summary, world.final, world.moved
    assert 900 <= summary.sessions_per_day <= 1_100
    shares = final.status.value_counts(normalize=True)
    assert summary.reschedule_share == pytest.approx(shares["rescheduled"])
    assert shares["rescheduled"] == pytest.approx(0.12, abs=0.015)
    assert summary.no_show_share == pytest.approx(shares["no_show"])
    assert shares["no_show"] == pytest.approx(0.02, abs=0.005)
    assert summary.cancelled_share == pytest.approx(shares["cancelled"])
    assert shares["cancelled"] == pytest.approx(0.03, abs=0.005)
    assert summary.tutor_share_of_reschedules == pytest.approx((moved.moved_by == "tutor").mean())
    assert (moved.moved_by == "tutor").mean() == pytest.approx(0.98, abs=0.01)
    assert world.truth.is_poor.mean() == pytest.approx(0.10, abs=0.025)
    assert final.rating.notna().sum() / (final.status == "completed").sum() == pytest.approx(0.6, abs=0.02)
    notice_hours = (moved.original_time - moved.requested_at).dt.total_seconds() / 3600
    assert 0.35 <= (notice_hours < 24).mean() <= 0.65
    assert moved.new_time.notna().mean() == pytest.approx(0.9, abs=0.02)


def test_a_quarter_of_pairs_ends_after_the_first_session(world: World) -> None:
    completed = world.sessions[world.sessions.status == "completed"].sort_values("scheduled_time")
    pair = completed.groupby(["tutor_id", "student_id"])
    day = completed.scheduled_time.dt.normalize()
    next_day = day.groupby([completed.tutor_id, completed.student_id]).shift(-1)
    month_later = day + pd.Timedelta(days=30)
    known = (pair.cumcount() == 0) & (month_later <= pd.Timestamp(UNTIL).normalize())
    churned = ~(next_day <= month_later)[known]
    assert world.summary.first_session_churn == pytest.approx(churned.mean())
    assert churned.mean() == pytest.approx(0.24, abs=0.03)


def test_mismatch_and_quality_drive_who_stays(world: World) -> None:
    pairs = world.pairs.merge(world.tutors, on="tutor_id").merge(world.students, on="student_id")
    pace = (pairs.preferred_pace_x - pairs.preferred_pace_y).abs()
    assert pairs.goes_on[pace <= 1].mean() > pairs.goes_on[pace >= 3].mean() + 0.08
    quality = world.pairs.merge(world.truth, on="tutor_id").quality
    assert world.pairs.goes_on[quality > 1].mean() > world.pairs.goes_on[quality < -1].mean() + 0.15
    assert world.pairs.goes_on.mean() == pytest.approx(world.pairs.continue_probability.mean(), abs=0.01)


def test_the_week_and_the_year_have_their_rhythm(world: World) -> None:
    when = world.sessions.scheduled_time
    by_weekday = when.dt.day_of_week.value_counts(normalize=True)
    assert by_weekday[[0, 1, 2, 3, 4]].min() > by_weekday[5] > by_weekday[6]
    working_day = when[when.dt.day_of_week < 5]
    assert working_day.dt.hour.between(14, 21).mean() > 0.8
    over = when[when < pd.Timestamp(world.summary.until)]
    per_month = over.groupby(over.dt.month).size() / [7, 30, 31, 31, 30, 31, 22]
    assert per_month[8] < 0.8 * per_month[10]


def test_volumes_are_uneven_and_some_tutors_have_next_to_nothing(world: World) -> None:
    recent = world.final[world.final.scheduled_time > pd.Timestamp(UNTIL) - pd.Timedelta(days=90)]
    sessions = recent.tutor_id.value_counts().reindex(world.tutors.tutor_id, fill_value=0)
    assert 5 <= (sessions < 5).sum() <= 45
    assert sessions.quantile(0.9) > 2 * sessions.median()
    assert 0 < (~world.tutors.is_active).sum() < 30
    assert (pd.to_datetime(world.tutors.hired_at) > pd.Timestamp("2026-10-30")).sum() >= 5


def test_ill_tutors_move_several_sessions_of_a_day(world: World) -> None:
    moved = world.moved[world.moved.moved_by == "tutor"]
    together = moved.groupby(["tutor_id", moved.requested_at.dt.date, "reason_code"]).size()
    assert 0.65 < len(together) / len(moved) < 0.9
    assert (together >= 4).sum() > 100


def test_the_last_week_has_as_many_moves_as_others(world: World) -> None:
    """Moves count on the day they are asked for, and so do those of sessions that are still ahead."""
    known = world.final.merge(world.moved[["session_id", "requested_at"]], on="session_id", how="left")
    counted = known[["scheduled_time", "requested_at"]].min(axis=1)
    until = pd.Timestamp(world.summary.until)
    share = [
        known.requested_at.notna()[(counted > until - pd.Timedelta(days=days)) & (counted <= until)].mean()
        for days in (7, 90)
    ]
    assert share[0] == pytest.approx(share[1], rel=0.15)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_arguments_give_the_same_bytes_and_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write_demo(other, tutors=20, students=80, days=40, seed=4, until=UNTIL)
    for folder in (one, other):
        write_demo(folder, tutors=20, students=80, days=40, seed=3, until=UNTIL)
    assert contents(one) == contents(other)
    write_demo(other, tutors=20, students=80, days=40, seed=4, until=UNTIL)
    assert contents(one)["sessions.csv.gz"] != contents(other)["sessions.csv.gz"]


def test_hours_are_local_to_the_zone_and_stay_so_when_clocks_change(tmp_path: Path) -> None:
    summary = write_demo(tmp_path, tutors=30, students=300, days=60, until=UNTIL, timezone="America/New_York")
    local = read(tmp_path, summary).sessions.scheduled_time.dt.tz_convert("America/New_York")
    assert summary.first_day == date(2026, 9, 21)
    assert local.dt.hour.between(6, 22).all()
    weekday = local[local.dt.day_of_week < 5]
    summer_time = weekday < pd.Timestamp("2026-11-01", tz="America/New_York")
    assert (weekday.dt.hour == 13)[summer_time].mean() == pytest.approx(
        (weekday.dt.hour == 13)[~summer_time].mean(), abs=0.03
    )
    assert weekday.dt.hour.median() in (16, 17)


def test_a_date_means_its_end_and_a_naive_time_is_local(tmp_path: Path) -> None:
    whole_day = write_demo(tmp_path, tutors=9, students=60, days=20, until=date(2026, 3, 5), timezone="Europe/Vienna")
    assert whole_day.until == datetime(2026, 3, 5, 23, tzinfo=UTC)
    assert whole_day.first_day == date(2026, 2, 16)
    sessions = read(tmp_path, whole_day).sessions
    assert sessions.scheduled_time[sessions.status == "completed"].max().date() == date(2026, 3, 5)
    noon = write_demo(tmp_path, tutors=2, students=2, days=2, until=datetime(2026, 7, 5, 12), timezone="Europe/Vienna")
    assert noon.until == datetime(2026, 7, 5, 10, tzinfo=UTC)


def test_without_an_end_the_demo_ends_now(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= write_demo(tmp_path, tutors=2, students=2, days=2).until <= datetime.now(UTC)


@pytest.mark.parametrize(
    "wrong", [{"tutors": 0}, {"students": 0}, {"days": 0}, {"seed": -1}, {"timezone": "Mars/Olympus"}]
)
def test_impossible_arguments_are_refused_before_anything_is_written(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(TutorqError):
        write_demo(tmp_path / "demo", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "demo").exists()


@settings(max_examples=15)
@given(
    tutors=st.integers(1, 12),
    students=st.integers(1, 30),
    days=st.integers(1, 40),
    seed=st.integers(0, 2**63),
    until=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
    timezone=st.sampled_from(["UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]),
)
def test_small_worlds_are_consistent_too(
    tutors: int, students: int, days: int, seed: int, until: datetime, timezone: str
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        summary = write_demo(
            folder, tutors=tutors, students=students, days=days, seed=seed, until=until, timezone=timezone
        )
        world = read(folder, summary)
        assert len(world.tutors) == tutors
        assert len(world.students) == students
        if summary.sessions + summary.scheduled_sessions:
            assert_consistent(world)


def test_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tutors.csv").write_text("tutor_id\nmine\n")
    with pytest.raises(TutorqError, match="no demo"):
        write_demo(tmp_path, tutors=2, students=2, days=2)
    assert (tmp_path / "tutors.csv").read_text() == "tutor_id\nmine\n"
