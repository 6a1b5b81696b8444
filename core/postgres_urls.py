"""Addresses of Postgres: read from a setting, written for each driver. No error repeats any part that may be secret."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

Parameters = dict[str, str]

ENCODE = "in the user and password of a URL, write % as %25, @ as %40, / as %2F and # as %23"

# What a server or a client's environment may set otherwise, and the code relies on: how text, dates and intervals look.
SESSION = {"datestyle": "ISO,MDY", "intervalstyle": "postgres", "timezone": "UTC"}

# libpq's parameters that asyncpg understands in a URL.
KNOWN_TO_ASYNCPG = {
    *("passfile", "service", "sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib"),
    *("options", "application_name"),
}
# The API has time limits and an encoding of its own, so nothing is lost without these.
NEEDLESS_FOR_ASYNCPG = {"connect_timeout", "client_encoding", "fallback_application_name"}


def parse(text: str) -> Parameters:
    """The libpq parameters of a URL or of `key=value` pairs; blanks in a URL need not be encoded.

    Raises:
        ValueError: says what is wrong and how to write it, without repeating the text.
    """
    text = text.strip()
    if text[:1] in ("'", '"'):
        raise ValueError("stands in quotation marks; write it without them")
    scheme, separator, _ = text.partition("://")
    is_url = bool(separator) and re.fullmatch(r"[A-Za-z][\w+.-]*", scheme) is not None
    if is_url and scheme not in ("postgresql", "postgres"):
        raise ValueError(f"begins with {scheme}://; write postgresql://")
    if not is_url and "=" not in text:
        raise ValueError("is no URL such as postgresql://user:password@host:5432/database")
    try:
        parameters = conninfo_to_dict(text.replace(" ", "%20") if is_url else text)
    except ProgrammingError as error:
        raise ValueError(_reason(str(error))) from None  # its text repeats the URL
    given = {name: str(value) for name, value in parameters.items() if value is not None}
    if "@" in given.get("host", "") or re.search(r"[^\d,]", given.get("port", "")):
        raise ValueError(f"has no host and port that can be told from the password; {ENCODE}")
    if "dbname" not in given:
        raise ValueError("names no database; write postgresql://user:password@host:5432/database")
    return given


def render(parameters: Mapping[str, str]) -> str:
    """A URL that libpq, SQLAlchemy, asyncpg and psql take; a socket directory or several hosts go into the query."""
    given = dict(parameters)
    host, port = given.pop("host", ""), given.pop("port", "")
    user, password, database = given.pop("user", "postgres"), given.pop("password", None), given.pop("dbname")
    address = quote(user, safe="") + ("" if password is None else f":{quote(password, safe='')}") + "@"
    if "," in host or host.startswith("/"):
        given = {"host": host, **({"port": port} if port else {}), **given}
    else:
        address += (f"[{host}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
    # A plus is a plus to libpq; slashes and commas are readable, and all drivers take them.
    query = "&".join(f"{name}={quote(value, safe='/,')}" for name, value in given.items())
    return f"postgresql://{address}/{quote(database, safe='')}" + (f"?{query}" if query else "")


def for_session(parameters: Mapping[str, str], role: str | None = None) -> Parameters:
    """The same, but connections speak UTF-8, write dates and intervals as the code reads them, and take `role` at
    their start: no statement of its own, and `reset role` keeps it."""
    options = [parameters.get("options", ""), *(f"-c {name}={value}" for name, value in SESSION.items())]
    if role:
        options.append(f"--role={role}")
    return {**parameters, "client_encoding": "UTF8", "options": " ".join(options).strip()}


def for_asyncpg(url: str) -> tuple[str, list[str]]:
    """A URL that asyncpg takes, and the names of what libpq would have heeded and asyncpg cannot."""
    parameters = parse(url)
    if address := parameters.pop("hostaddr", None):
        parameters["host"] = address
    place = {"host", "port", "user", "password", "dbname"}
    kept = {name: value for name, value in parameters.items() if name in KNOWN_TO_ASYNCPG | place}
    return render(kept), sorted(parameters.keys() - kept.keys() - NEEDLESS_FOR_ASYNCPG)


def _reason(message: str) -> str:
    """libpq's message without what it repeats."""
    if unknown := re.search(r'invalid URI query parameter: "(\w+)"', message):
        return f"has the unknown parameter {unknown[1]}"
    if "percent-encoded" in message:
        return f"has a % that encodes nothing; {ENCODE}"
    return f"cannot be read; write postgresql://user:password@host:5432/database, and {ENCODE}"
