"""Addresses of Postgres: read from a setting, written for each driver. No error repeats any part that may be secret."""

import re
import ssl
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

Parameters = dict[str, str]

DEFAULT_PORT = "5432"
EXAMPLE = "postgresql://user:password@host:5432/database"
ENCODE = "in the user and password of a URL, write % as %25, @ as %40, / as %2F and # as %23"

# What a server or a client's environment may set otherwise, and the code relies on: how text, dates and intervals look.
SESSION = {"datestyle": "ISO,MDY", "intervalstyle": "postgres", "timezone": "UTC"}

# libpq's parameters that asyncpg understands in a URL.
KNOWN_TO_ASYNCPG = {
    *("passfile", "sslmode", "sslnegotiation", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl"),
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
        raise ValueError("is in quotation marks; remove them")
    scheme, separator, rest = text.partition("://")
    is_url = bool(separator) and re.fullmatch(r"[A-Za-z][\w+.-]*", scheme) is not None
    if is_url and scheme not in ("postgresql", "postgres"):
        raise ValueError(f"begins with {scheme}://; write postgresql://")
    if not is_url and "=" not in text:
        raise ValueError(f"is no URL; write {EXAMPLE}")
    address = rest.partition("?")[0]
    if is_url and address.count("@") > 1:
        raise ValueError(f"has more than one @ before the host; {ENCODE}")
    try:
        parameters = conninfo_to_dict(text.replace(" ", "%20") if is_url else text)
    except ProgrammingError as error:
        raise ValueError(_reason(str(error), is_url=is_url)) from None  # its text repeats the URL
    given = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
    # Where libpq found no user, an @ belongs to a password that it took for a host, a port or a database.
    if is_url and (re.search(r"[^\d,]", given.get("port", "")) or ("@" in address and "user" not in given)):
        raise ValueError(f"has no host and port that can be told from the password; {ENCODE}")
    if "service" in given:
        raise ValueError(f"names a service; write its host, user and database instead: {EXAMPLE}")
    if "dbname" not in given:
        raise ValueError(f"names no database; write {EXAMPLE}")
    return _with_a_port_each(given)


def render(parameters: Mapping[str, str]) -> str:
    """A URL that libpq, SQLAlchemy, asyncpg and psql take; a socket directory or several hosts go into the query."""
    given = dict(parameters)
    host, port, user = given.pop("host", ""), given.pop("port", ""), given.pop("user", "")
    password, database = given.pop("password", ""), given.pop("dbname")
    address = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    address += "@" if address else ""
    if "," in host or host.startswith(("/", "@")) or not host:
        given = {**({"host": host} if host else {}), **({"port": port} if port else {}), **given}
    else:
        address += (f"[{host}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
    if quote(database, safe="") != database:
        given["dbname"], database = database, ""  # SQLAlchemy decodes it there alone
    # A plus is a plus to libpq; slashes and commas are readable, and all drivers take them.
    query = "&".join(f"{name}={quote(value, safe='/,')}" for name, value in given.items())
    return f"postgresql://{address}/{database}" + (f"?{query}" if query else "")


def for_session(parameters: Mapping[str, str], role: str | None = None) -> Parameters:
    """The same, but connections speak UTF-8, write dates and intervals as the code reads them, and take `role` at
    their start: no statement of its own, and `reset role` keeps it."""
    ours = [f"-c {name}={value}" for name, value in SESSION.items()] + ([f"--role={role}"] if role else [])
    # The last one counts.
    options = " ".join([parameters.get("options", ""), *ours]).strip()
    return {**parameters, "client_encoding": "UTF8", "options": options}


def for_asyncpg(url: str) -> tuple[dict[str, Any], list[str]]:
    """What `asyncpg.connect` takes, and the names of the parameters that libpq heeds and asyncpg cannot."""
    parameters = parse(url)
    place: dict[str, Any] = {}
    for name in ("user", "password"):
        if name in parameters:
            place[name] = parameters.pop(name)
    place["database"] = parameters.pop("dbname")
    hosts, ports, addresses = (parameters.pop(name, "") for name in ("host", "port", "hostaddr"))
    if addresses and hosts and parameters.get("sslmode") == "verify-full":
        parameters["hostaddr"] = addresses  # the certificate is for the name, so asyncpg has to look that up
    elif addresses:
        hosts = addresses
    if hosts:
        place["host"] = hosts.split(",")
    if ports:
        place["port"] = [int(port or DEFAULT_PORT) for port in ports.split(",")]
    if parameters.get("sslrootcert") == "system":
        # libpq's word for the authorities that the system trusts.
        parameters["sslrootcert"] = ssl.get_default_verify_paths().cafile or ""
        parameters.setdefault("sslmode", "verify-full")
    kept = {name: value for name, value in parameters.items() if name in KNOWN_TO_ASYNCPG and value}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in kept.items())
    dropped = sorted(parameters.keys() - kept.keys() - NEEDLESS_FOR_ASYNCPG)
    return {**place, "dsn": f"postgresql:///?{query}" if query else None}, dropped


def _with_a_port_each(given: Parameters) -> Parameters:
    """Several hosts with one port, or none, with a port for each, as SQLAlchemy wants it."""
    count = given.get("host", "").count(",") + 1
    ports = [port or DEFAULT_PORT for port in given.get("port", "").split(",")]
    if count == 1 and len(ports) == 1:
        return given
    if len(ports) not in (1, count):
        raise ValueError(f"has {count} hosts and {len(ports)} ports; write a port for each host, or one for all")
    return {**given, "port": ",".join(ports * count if len(ports) == 1 else ports)}


def _reason(message: str, *, is_url: bool) -> str:
    """libpq's message without what it repeats, which may be a piece of a password."""
    if unknown := re.search(r'invalid (?:URI query parameter:|connection option) "(\w+)"', message):
        known = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
        meant = get_close_matches(unknown[1], known, n=1, cutoff=0.8)
        return f"has an unknown parameter{f'; did you mean {meant[0]}?' if meant else f'; {ENCODE}'}"
    if not is_url:
        return f"cannot be read; put values with blanks between single quotes, or write {EXAMPLE}"
    if "percent-encoded" in message:
        return f"has a % that encodes nothing; {ENCODE}"
    return f"cannot be read; write {EXAMPLE}, and {ENCODE}"
