"""Posted sessions: what their model reads, it reads as the parser of files would."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from pydantic import BaseModel

from ingest.contract import SESSIONS, Entity
from ingest.posts import RescheduleInfo, SessionPost
from ingest.rows import INFO, POSTED_RESCHEDULE, Faults, Row, check, read_by_model, read_by_parser

ZONE = "Europe/Vienna"

USUAL: dict[str, Any] = {
    "session_id": "S-1042",
    "tutor_id": "0d9d7c0e-5b0a-4c55-9d0b-6a3f5a1c7e42",
    "student_id": 230,
    "scheduled_time": "2026-01-31T15:00:00Z",
    "status": "completed",
    "subject": "Français, 2e année",
    "booked_at": "2026-01-01 08:30:00.25+05:30",
    "started_at": "2026-01-31T15:02:00Z",
    "completed_time": None,
    "cancelled_at": None,
    "duration_minutes": 60,
    "rating": 4.5,
    "reason_code": "power_cut",
    "technical_issue": True,
    "updated_at": "2026-01-31T16:00:01.123456-0330",
}
MOVE = {"initiator": "tutor", "reason": "ill", "hours_before_session": 5.5, "new_time": "2026-02-01T10:00+01"}


@pytest.mark.parametrize("body", [USUAL, {**USUAL, INFO: MOVE}, {**USUAL, "status": "rescheduled", INFO: MOVE}])
def test_what_needs_no_cleaning_is_read_by_the_model(body: dict[str, Any]) -> None:
    row = read_by_model(body)
    assert isinstance(row, Row)
    assert [row] == read_by_parser([body], ZONE)


@pytest.mark.parametrize(
    "changes",
    [
        {"session_id": " S-1042"},
        {"session_id": "12.0"},
        {"tutor_id": "0d9d7c0e5b0a4c559d0b6a3f5a1c7e42"},
        {"student_id": "1.23457E+11"},
        {"subject": "NULL"},
        {"status": "Completed"},
        {"rating": 0},
        {"scheduled_time": "2026-01-31"},
        {"scheduled_time": "2026-01-31T15:00:00"},
        {"scheduled_time": "2026-02-30T15:00:00Z"},
        {"scheduled_time": "2026-01-31T15:00:00.1234567Z"},
        {"scheduled_time": "9999-12-31T23:00:00-05:00"},
        {"subject": "maths "},
        {"subject": "a\u00a0b"},
        {"subject": ""},
        {"rating": "4.5"},
        {"rating": 6},
        {"duration_minutes": 60.0},
        {"duration_minutes": True},
        {"technical_issue": "yes"},
        {"technical_issue": 1},
        {"status": "rescheduled"},
        {"reschedule_info": {"initiator": "tutor", "hours_before_session": 1e-7}},
        {"colour": "red"},
        {"completed_time": "2026-01-31T15:01:59.999999Z"},
        {"completed_time": "2026-01-31T15:02:00+01:00"},
    ],
)
def test_all_else_is_left_to_the_parser(changes: dict[str, Any]) -> None:
    assert read_by_model(USUAL | changes) is None


@pytest.mark.parametrize(
    ("model", "entity", "others"), [(SessionPost, SESSIONS, {INFO}), (RescheduleInfo, POSTED_RESCHEDULE, set())]
)
def test_models_have_the_columns_of_the_contract(model: type[BaseModel], entity: Entity, others: set[str]) -> None:
    assert set(model.model_fields) == {column.name for column in entity.columns} | others
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required == set(entity.required)


_digits = st.integers(0, 99).map(lambda number: f"{number:02}")
_years = st.sampled_from(["0001", "1969", "1970", "2026", "2100", "2101", "9999"])
_clocks = st.builds(lambda *parts: ":".join(parts), _digits, _digits) | st.sampled_from(
    ["10:00:00", "23:59:59.999999", "24:00", "10:00:00.1", "10:00:60", "10", "10:00:00.1234567", "\u0661\u0660:00"]
)
_offsets = st.sampled_from(["Z", "z", "", "+01", "-0330", "+05:45", "+15:59", "-16:00", "+00:00:30", " Z", "-00:00"])
_times = st.builds(
    lambda year, month, day, between, clock, offset: f"{year}-{month}-{day}{between}{clock}{offset}",
    _years,
    st.sampled_from(["01", "02", "12", "13", "1"]),
    st.sampled_from(["01", "28", "29", "31", "00"]),
    st.sampled_from(["T", " ", "t", ""]),
    _clocks,
    _offsets,
)
_texts = st.text(max_size=12) | st.sampled_from(
    ["NULL", "N/A", "None", "-", "x" * 200, "x" * 201, "é" * 500, "ü" * 501, "a b", "\u200b", "a\u2028"]
)
_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 1, 5, 4.005, 1e-5])
_ids = (
    st.uuids().map(str)
    | st.uuids().map(lambda key: str(key).upper())
    | st.uuids().map(lambda key: key.hex)
    | st.sampled_from(["S-1", "{S}", "1/2", "12.0", "NULL", "-", "1E+11", "{0D9D7C0E-5B0A-4C55-9D0B-6A3F5A1C7E42}"])
)
_anything = st.none() | st.booleans() | _numbers | _texts | _times | st.just([])


def _mostly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda at: values if at else _anything)


_id = _mostly(_ids | st.integers(-(10**31), 10**31) | _texts)
_time = _mostly(_times | st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()))
_initiator = _mostly(st.sampled_from(["tutor", "student", "platform", "Tutor", " tutor", "NULL"]))
_number = _mostly(st.integers(-10, 90_000) | st.floats(-9_000, 90_000) | st.floats(0, 6) | st.integers(0, 6))
_info = st.fixed_dictionaries(
    {"initiator": _initiator},
    optional={
        "original_time": _time,
        "new_time": _time,
        "requested_at": _time,
        "cancelled_at": _time,
        "reason_code": _mostly(_texts),
        "reason": _mostly(_texts),
        "hours_before_session": _number,
        "who": _texts,
    },
)
_bodies = st.fixed_dictionaries(
    {
        "session_id": _id,
        "tutor_id": _id,
        "student_id": _id,
        "scheduled_time": st.just("2026-01-31T15:00:00Z") | _time,
        "status": _mostly(st.sampled_from(["completed", "rescheduled", "no_show", "Rescheduled", "No Show", "done"])),
    },
    optional={
        "subject": _mostly(_texts),
        "booked_at": _time,
        "started_at": _time,
        "completed_time": _time,
        "cancelled_at": _time,
        "duration_minutes": _number,
        "rating": _number,
        "initiator": _initiator,
        "reason_code": _mostly(_texts),
        "technical_issue": _anything,
        "updated_at": _time | st.just("2099-01-01T00:00:00Z"),
        "reschedule_info": _mostly(_info),
        "color": st.just("red"),
    },
)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"status": "No Show"}, {"status": "no_show"}),
        ({"session_id": "12.0"}, {"session_id": 12}),
        ({"tutor_id": "{0D9D7C0E5B0A4C559D0B6A3F5A1C7E42}"}, {}),
        ({"scheduled_time": "2026-01-31 15:00:00 UTC"}, {}),
        ({"rating": 0}, {"rating": None}),
        ({"reason_code": "NULL"}, {"reason_code": None}),
        ({"technical_issue": "y"}, {}),
        ({"status": "Rescheduled", INFO: MOVE}, {"status": "rescheduled", INFO: MOVE}),
    ],
)
def test_what_is_unambiguous_is_understood(changes: dict[str, Any], same: dict[str, Any]) -> None:
    assert check([USUAL | changes], ZONE) == check([USUAL | same], ZONE)
    assert isinstance(check([USUAL | changes], ZONE)[0], Row)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"rating": 9, "duration_minutes": 59.5}, {"rating", "duration_minutes"}),
        ({"booked_at": "3/4/2026"}, {"booked_at"}),
        ({"tutor_id": "1.23457E+11"}, {"tutor_id"}),
        ({"student_id": "NULL"}, {"student_id"}),
        ({"status": "Rescheduled"}, {INFO}),
        ({"completed_time": "2026-01-31T15:02:00+01:00"}, {"started_at", "completed_time"}),
    ],
)
def test_every_bad_value_refuses_a_post(changes: dict[str, Any], fields: set[str]) -> None:
    [faults] = check([USUAL | changes], ZONE)
    assert isinstance(faults, Faults)
    assert {error.field for error in faults.errors} == fields


def test_a_lesson_ends_when_it_began_or_later() -> None:
    [row] = check([USUAL | {"completed_time": "2026-01-31T16:02:00+01:00"}], ZONE)
    assert isinstance(row, Row)
    [faults] = check([USUAL | {"completed_time": "2026-01-31 16:01"}], ZONE)
    assert isinstance(faults, Faults)
    assert faults.reason == (
        "started_at: 2026-01-31T15:02:00Z is after completed_time; "
        "completed_time: 2026-01-31 16:01 is before started_at"
    )


@pytest.mark.slow
@settings(max_examples=100)
@given(bodies=st.lists(_bodies | st.just(USUAL) | _anything, min_size=1, max_size=8))
def test_both_ways_give_the_same(bodies: list[object]) -> None:
    assert check(bodies, ZONE) == read_by_parser(bodies, ZONE)


@pytest.mark.slow
@settings(max_examples=100)
@given(field=st.sampled_from([*USUAL, "initiator"]), values=st.data())
def test_one_field_at_a_time(field: str, values: st.DataObject) -> None:
    strategy = {
        "session_id": _id, "tutor_id": _id, "student_id": _id, "status": _anything, "subject": _texts,
        "duration_minutes": _number, "rating": _number, "initiator": _initiator,
        "reason_code": _texts, "technical_issue": _anything,
    }.get(field, _time)  # fmt: skip
    bodies = [USUAL | {field: value} for value in values.draw(st.lists(strategy, min_size=1, max_size=20))]
    assert check(bodies, ZONE) == read_by_parser(bodies, ZONE)
    for body in bodies:
        row = read_by_model(body)
        assert row is None or [row] == read_by_parser([body], ZONE)


@pytest.mark.slow
@settings(max_examples=100)
@given(infos=st.lists(_info, min_size=1, max_size=20))
def test_reschedules(infos: list[dict[str, Any]]) -> None:
    bodies = [{**USUAL, "status": "rescheduled", "reschedule_info": info} for info in infos]
    assert check(bodies, ZONE) == read_by_parser(bodies, ZONE)
