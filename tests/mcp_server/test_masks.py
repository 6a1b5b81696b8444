"""People are called the same throughout, and never like somebody else."""

from mcp_server.masks import Masks

MANY = [f"00000000-0000-4000-8000-{number:012}" for number in range(3_000)]


def test_masks_are_told_apart_and_stay() -> None:
    masks = Masks(tutor_names=False)
    called = {tutor_id: masks.tutor(tutor_id, "Ada Novak") for tutor_id in MANY}
    assert len(set(called.values())) == len(MANY)
    assert {len(mask) for mask in called.values()} >= {len("Tutor 3f2a"), len("Tutor 3f2a0")}, "some begin alike"
    assert {tutor_id: masks.tutor(tutor_id, None) for tutor_id in MANY} == called
    assert all(masks.id_of(mask) == tutor_id for tutor_id, mask in called.items())
    assert masks.id_of(f" {called[MANY[0]].upper()} ") == MANY[0]
    assert masks.id_of(" T-1042 ") == "T-1042"


def test_a_student_is_no_tutor() -> None:
    masks = Masks(tutor_names=True)
    assert masks.student(MANY[0]).startswith("Student ")
    assert masks.tutor(MANY[0], None).startswith("Tutor ")


def test_two_of_one_name_are_told_apart() -> None:
    masks = Masks(tutor_names=True)
    first, second = masks.tutor(MANY[0], "Ada Novak"), masks.tutor(MANY[1], "Ada  novak")
    assert first == "Ada Novak"
    assert second.startswith("Ada  novak (tutor ")
    assert (masks.id_of(first), masks.id_of(second)) == (MANY[0], MANY[1])
