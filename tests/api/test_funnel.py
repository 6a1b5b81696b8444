"""The funnel plot: all tutors that fit, and what they are seen against."""

import httpx2


def test_every_tutor_with_sessions_is_one_point(client: httpx2.Client) -> None:
    funnel = client.get("/api/funnel").json()
    tutors = client.get("/api/tutors?limit=500").json()["data"]
    shown = {row["tutor_id"]: row for row in tutors if row["sessions_90d"] > 0}
    points = funnel["data"]["points"]
    assert 0 < len(points) == len(shown) < len(tutors)
    for point in points:
        assert point == {name: shown[point["tutor_id"]][name] for name in point}
    assert [point["sessions_90d"] for point in points] == sorted((p["sessions_90d"] for p in points), reverse=True)
    overview = client.get("/api/overview").json()["data"]
    assert funnel["data"]["platform_let_down_rate_90d"] == overview["platform"]["let_down_rate_90d"]
    assert funnel["data"]["risk_threshold"] == overview["rules"]["risk_threshold"]


def test_the_conditions_are_those_of_the_list(client: httpx2.Client) -> None:
    for conditions in ("risk_status=high_risk&risk_status=watch", "is_active=false", "search=1", "subject=maths"):
        points = client.get(f"/api/funnel?{conditions}").json()["data"]["points"]
        listed = client.get(f"/api/tutors?limit=500&{conditions}").json()["data"]
        wanted = {row["tutor_id"] for row in listed if row["sessions_90d"] > 0}
        assert {point["tutor_id"] for point in points} == wanted, conditions
    assert client.get("/api/funnel?limit=1").status_code == 400


def test_subjects_are_of_all_tutors_whatever_was_asked_for(client: httpx2.Client) -> None:
    subjects = client.get("/api/funnel?search=nobody").json()["data"]["subjects"]
    assert subjects == sorted(subjects, key=lambda row: row["subject"])
    for row in subjects:
        listed = client.get("/api/tutors", params={"subject": row["subject"], "limit": 1}).json()
        assert listed["meta"]["total"] == row["tutors"] > 0


def test_it_is_not_sent_twice(client: httpx2.Client) -> None:
    first = client.get("/api/funnel")
    again = client.get("/api/funnel", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
