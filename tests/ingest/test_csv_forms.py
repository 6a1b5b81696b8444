"""CSV files in the forms that people have: read with the right values, or refused with the way out."""

import gzip
from pathlib import Path

import pytest

from core.database import Database
from core.errors import TutorqError
from ingest import Progress, csv_reader, load_file, load_folder
from ingest.mapping import parse_mapping
from tests.ingest.landed import HEADER, ROW, SESSION, load, notes, rows, session_ids

SEMICOLONS = ("understood", "its cells are separated by semicolons")
# Of the languages that are written in CP1252.
WESTERN = (
    "Zoë Müller", "Renée Núñez", "Hélène Lefèvre", "François Rivière", "João Guimarães", "Simões", "Bjørn Sørensen",
    "Åse Næss", "Søren Kjærgård", "Jürgen Groß", "Nicolò Calò", "Iñaki Muñoz", "O’Brien", "Mª José", "Élodie Noël",
    "Inês Conceição", "Benoît Dûchêne", "Äiti Mäkinen", "Schröder-Preuß", "à bientôt", "cœur", "¡Hola! ¿Qué tal?",
)  # fmt: skip
# What would become other letters as CP1252.
OTHER_ENCODINGS = {
    "cp1250": ("Dvořák", "Jiří", "Němec", "Kovačič", "Petrović", "Łukasz", "Paweł", "Wyszyński", "Szűcs", "Erdős"),
    "iso8859_2": ("Šárka", "Łódź"),
    "cp1251": ("Иван", "Ян", "Олег Рі"),
    "cp1253": ("Γιώργος",),
    "cp1254": ("Ayşe", "Doğan", "Yılmaz"),
    "mac_roman": ("Renée", "Müller", "Köhler", "Zoë", "Núñez", "José", "François", "Weiß", "Ángel"),
    "cp850": ("José", "Müller", "Björn", "Muñoz"),
    "shift_jis": ("田中",),
    "gb18030": ("张伟",),
}


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SESSION, []),
        (SESSION.replace(",", ";"), [SEMICOLONS]),
        (SESSION.replace(",", "\t"), [("understood", "its cells are separated by tabs")]),
        (SESSION.replace(",", "|"), [("understood", "its cells are separated by bars")]),
        (f"sep=,\r\n{SESSION}", []),
        ("sep=;\r\n" + SESSION.replace(",", ";"), [SEMICOLONS]),
        ('"sep=;"\n' + SESSION.replace(",", ";"), [SEMICOLONS]),
        ("sep=\t\n\n" + SESSION.replace(",", "\t"), [("understood", "its cells are separated by tabs")]),
        (f"sep=,\n,,,\n{SESSION}", []),
        (
            SESSION + HEADER.replace("_", " ").title() + f"\n{ROW}\n",
            [("understood", "the header comes again among the rows")],
        ),
        (f"\n{SESSION}", []),
        (f"\r\n , ,\r\n{SESSION}", []),
        (f"Sessions of November\n\n{SESSION}", [("guessed", "left out lines above the header")]),
        (SESSION + "\n,,,,\n ,\n\n", []),
        (SESSION + SESSION, [("understood", "the header comes again among the rows")]),
        (f"{HEADER}\n{ROW},,\n", [("understood", "empty cells at the end of rows do not count")]),
        (f"{HEADER},,\n{ROW},,\n", []),
        (f"{HEADER},,\n{ROW}\n", [("understood", "cells that are missing at the end of rows are empty")]),
        (
            f"{HEADER},rating,updated_at\n{ROW}\n",
            [("understood", "cells that are missing at the end of rows are empty")],
        ),
        (SESSION.replace(",", ", "), []),
        ('"' + SESSION.strip().replace(",", '","').replace("\n", '"\n"') + '"', []),
        (SESSION.replace("\n", "\r"), []),
        (SESSION.replace("\n", "\r\n") + "\x1a", []),
        (f"\ufeff{SESSION}", []),
        (SESSION.encode("utf-16"), [("understood", "read as UTF-16")]),
        (
            SESSION.encode("utf-16-le"),
            [("understood", "read as UTF-16, though it does not begin with the mark of it")],
        ),
        (
            SESSION.encode("utf-16-be"),
            [("understood", "read as UTF-16, though it does not begin with the mark of it")],
        ),
        (
            SESSION.replace(",", "\t").encode("utf-16"),
            [("understood", "read as UTF-16"), ("understood", "its cells are separated by tabs")],
        ),
        (f"Session ID,Tutor ID,Student-ID,scheduledTime, STATUS \n{ROW}\n", []),
        (f"{HEADER},Completed Time,durationMinutes,Rating \n{ROW},2026-11-02T16:00:00Z,60,5\n", []),
    ],
)
def test_what_is_clear_is_read(
    database: Database, tmp_path: Path, content: str | bytes, expected: list[tuple[str, str]]
) -> None:
    summary = load(database, tmp_path, {"sessions.csv": content})
    assert (summary.errors, summary.quarantined) == ([], 0)
    query = "select external_id, status, scheduled_time::text from raw.sessions"
    with database.connect() as connection:
        connection.execute("set timezone to 'UTC'")
        assert connection.execute(query).fetchall() == [("x1", "completed", "2026-11-02 15:00:00+00")]
    # Another case of a status is said by the parser.
    assert [note for note in notes(summary) if "status" not in note[1] and "spelling" not in note[1]] == expected


def test_a_row_that_is_too_short_for_what_is_required_is_refused(database: Database, tmp_path: Path) -> None:
    summary = load(database, tmp_path, {"sessions.csv": f"{SESSION}x2,T1,S1,2026-11-02T15:00:00Z\n{ROW},a,b\n"})
    assert (summary.inserted, summary.quarantined) == (1, 2)
    assert rows(database, "select line, reason from raw.quarantine order by 1") == [
        (3, "the row has 4 cells, the header has 5"), (4, "the row has 7 cells, the header has 5"),
    ]  # fmt: skip


def test_columns_of_the_same_name(database: Database, tmp_path: Path) -> None:
    twice = f"{HEADER},notes,notes\n{ROW},a,b\nx2,T1,S1,never,completed,c,d\n"
    summary = load(database, tmp_path, {"sessions.csv": twice, "tutors.csv": "tutor_id,Tutor ID\nT1,T2\n"})
    assert summary.unknown_columns == {"sessions.csv": ["notes", "notes"]}
    [(content,)] = rows(database, "select content from raw.quarantine")
    assert '"notes": "c", "notes (2)": "d"' in content, "none is lost"
    [error] = summary.errors
    assert "tutors.csv: the header names tutor_id more than once" in error.message


def test_a_column_without_a_name_counts_if_there_is_something_in_it(database: Database, tmp_path: Path) -> None:
    summary = load(database, tmp_path, {"sessions.csv": f"{HEADER},,\n{ROW},,\nx2{ROW[2:]},,note\n"})
    assert (summary.inserted, summary.unknown_columns) == (2, {"sessions.csv": ["(no name)"]})


def test_a_decimal_comma_beside_semicolons(database: Database, tmp_path: Path) -> None:
    header = HEADER.replace(",", ";") + ";rating;duration_minutes;subject"
    lines = [
        f"x{number};T1;S1;2026-11-02;completed;{cells}" for number, cells in enumerate(["4,5;60,0;3,5", "4;1,234;"])
    ]
    summary = load(database, tmp_path, {"sessions.csv": "\n".join([header, *lines])})
    stored = rows(database, "select external_id, rating::float, duration_minutes, subject from raw.sessions order by 1")
    assert stored[0] == ("x0", 4.5, 60, "3,5")
    assert ("guessed", "rating: the comma is the decimal mark (4,5)") in notes(summary)
    assert stored[1][:3] != ("x1", 4.0, 1.234), "three digits may be thousands"
    assert 1234 not in stored[1]


@pytest.mark.parametrize("name", WESTERN)
def test_names_in_cp1252_come_out_with_the_right_letters(database: Database, tmp_path: Path, name: str) -> None:
    content = f"tutor_id,name\r\nT1,{name}\r\nT2,Bob Hill\r\n".encode("cp1252")
    summary = load(database, tmp_path, {"tutors.csv": content})
    assert rows(database, "select name from raw.tutors order by external_id") == [(name,), ("Bob Hill",)]
    [(kind, text)] = notes(summary)
    assert kind == "guessed"
    assert text.startswith("read as CP1252 (Windows), because it is not UTF-8; letters to look at")


@pytest.mark.parametrize(
    ("encoding", "name"), [(key, name) for key, names in OTHER_ENCODINGS.items() for name in names]
)
def test_what_may_be_another_encoding_is_refused(database: Database, tmp_path: Path, encoding: str, name: str) -> None:
    content = f"tutor_id,name\nT1,{name}\nT2,Bob Hill\n".encode(encoding)
    summary = load(database, tmp_path, {"tutors.csv": content})
    [error] = summary.errors
    assert error.message.startswith("tutors.csv is n")
    assert error.message.endswith('save it as UTF-8 (in Excel: "CSV UTF-8")')
    assert rows(database, "select count(*) from raw.tutors") == [(0,)]


@pytest.mark.parametrize("compress", [False, True])
def test_letters_that_come_late_are_read_as_if_they_came_early(
    database: Database, tmp_path: Path, compress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 10_000)
    many = "".join(f"T{number},Ann Example\n" for number in range(9_000))

    def tutors(name: bytes) -> dict[str, bytes]:
        content = b"tutor_id,name\n" + many.encode() + b"L1," + name + b"\n"
        return {"tutors.csv.gz": gzip.compress(content)} if compress else {"tutors.csv": content}

    query = "select name from raw.tutors where external_id = 'L1'"
    assert load(database, tmp_path, tutors("Dvořák".encode("cp1250"))).inserted == 0
    summary = load(database, tmp_path, tutors("Zoë".encode("cp1252")))
    assert (summary.inserted, [kind for kind, _ in notes(summary)]) == (9_001, ["guessed"])
    assert rows(database, query) == [("Zoë",)]
    assert notes(load(database, tmp_path, tutors("Zoé".encode()))) == []
    assert rows(database, query) == [("Zoé",)]


def test_a_broken_byte_in_utf_8_costs_its_row_at_most(database: Database, tmp_path: Path) -> None:
    content = "tutor_id,name\nT1,Zoë\nT2,Renée\n".encode() + b"T\xff,Bob\n"
    summary = load(database, tmp_path, {"tutors.csv": content})
    assert (summary.inserted, summary.quarantined, notes(summary)) == (2, 1, [])


@pytest.mark.parametrize(("byte", "read"), [("€", "€"), ("–", "–"), ("à", "à"), ("ÿ", None), ("§", None)])
def test_a_byte_by_itself_is_a_sign_or_a_broken_one(
    database: Database, tmp_path: Path, byte: str, read: str | None
) -> None:
    content = f"session_id,initiator,reason\nx1,tutor,{byte}\n".encode("cp1252")
    summary = load(database, tmp_path, {"reschedules.csv": content})
    assert summary.errors == []
    assert rows(database, "select reason from raw.reschedules") == [(read,)]
    guesses = [text for kind, text in notes(summary) if kind == "guessed"]
    assert (summary.remarks, len(guesses)) == ((0, 1) if read else (1, 0))


def test_a_blank_row_of_spaces_that_do_not_break_is_blank(database: Database, tmp_path: Path) -> None:
    summary = load(database, tmp_path, {"tutors.csv": b"tutor_id,name\n\xa0,\xa0\nT1,Ann Lee\n"})
    assert (summary.inserted, summary.quarantined, summary.errors) == (1, 0, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("".encode("utf-32") + SESSION.encode("utf-32-le"), "sessions.csv is UTF-32; save it as UTF-8"),
        (SESSION.encode("utf-16") + b"\x00", "sessions.csv is not all UTF-16; save it as UTF-8"),
        ("a;b\n1;2\n", "sessions.csv: required columns missing: session_id, tutor_id"),
        ("sep=;\n", "sessions.csv: required columns missing"),
        ("\n\n", "sessions.csv"),
    ],
)
def test_what_cannot_be_read_says_why(database: Database, tmp_path: Path, content: str | bytes, message: str) -> None:
    [error] = load(database, tmp_path, {"sessions.csv": content}).errors
    assert error.message.startswith(message)
    assert "\n" not in error.message


def test_strict_refuses_what_was_guessed_and_nothing_else(database: Database, tmp_path: Path) -> None:
    files = {"tutors.csv": "tutor_id,name\nT1,Zoë\n".encode("cp1252"), "sessions.csv": SESSION.replace(",", ";")}
    summary = load(database, tmp_path, files, is_strict=True)
    [error] = summary.errors
    assert error.message.startswith("tutors.csv: nothing may be guessed (--strict), and this was: read as CP1252")
    assert session_ids(database) == ["x1"]
    assert rows(database, "select is_stub from raw.tutors") == [(True,)]


def test_a_form_that_is_given_is_taken_as_it_is(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "tutors.csv"
    path.write_bytes("a title\ntutor_id~name~experience_years\nT1~Dvořák~7,5\n".encode("cp1250"))
    said = "{encoding: cp1250, delimiter: '~', header_line: 2, decimal: ','}"
    load_file(database, path, timezone="UTC", mapping=parse_mapping(f"tutors: {said}"))
    assert rows(database, "select name, experience_years::float from raw.tutors") == [("Dvořák", 7.5)]
    with pytest.raises(TutorqError, match="required column missing: tutor_id"):
        load_file(database, path, timezone="UTC", mapping=parse_mapping("tutors: {header_line: 1}"))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "UTF-8", "utf8", "UTF-16-LE"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_whoever_watches_sees_the_end_of_a_file_in_any_encoding(
    database: Database, tmp_path: Path, encoding: str, is_packed: bool
) -> None:
    content = SESSION.replace(",T1,", ",Zoë,").encode(encoding)
    name = "sessions.csv.gz" if is_packed else "sessions.csv"
    (tmp_path / name).write_bytes(gzip.compress(content) if is_packed else content)
    mapping = None
    if encoding != "utf-16":
        mapping = tmp_path / "mapping.yml"
        mapping.write_text(f"sessions: {{encoding: {encoding}}}")
    seen: list[Progress] = []
    summary = load_folder(database, tmp_path, timezone="UTC", mapping=mapping, on_progress=seen.append)
    assert summary.errors == []
    assert rows(database, "select reason from raw.quarantine") == []
    assert rows(database, "select external_id from raw.tutors") == [("Zoë",)]
    assert (seen[-1].rows_done, seen[-1].bytes_done) == (1, seen[-1].bytes_total)
