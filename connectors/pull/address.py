"""Files at addresses: a sheet that is published as CSV, an export that is renewed. Only when they have changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import dlt

from connectors.configuration import AddressConnector, require_key
from connectors.pull.http import session
from connectors.pull.landing import land
from connectors.pull.report import Report
from core.errors import TutorqError

MOST_BYTES = 200 << 20


def resources(name: str, connector: AddressConnector, folder: Path, report: Report) -> list[Any]:
    """One, which yields nothing: the files land as they are."""

    def read() -> Iterator[Any]:
        known = dlt.current.resource_state().setdefault("seen", {})
        for file, address in connector.files.items():
            known[file] = _fetch(file, address or require_key(name), known.get(file, {}), folder, report)
        yield from ()

    return [dlt.resource(read, name="files")]


def _fetch(file: str, address: str, known: dict[str, str], folder: Path, report: Report) -> dict[str, str]:
    """Land the file if it is another one than before; by what to ask for it the next time."""
    asked = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("modified")}
    headers = {name: value for name, value in asked.items() if value}
    with session(headers, raises=False).get(address, stream=True) as answer:
        if answer.status_code == 304:
            return known
        if answer.status_code != 200:
            raise TutorqError(f"{file}: the address answered {answer.status_code}; is the file shared with the link?")
        if answer.headers.get("Content-Type", "").partition(";")[0].strip() == "text/html":
            raise TutorqError(f"{file}: the address shows a page, no file; publish the sheet as CSV, or share it")
        content = bytearray()
        for part in answer.iter_content(1 << 20):
            content += part
            if len(content) > MOST_BYTES:
                raise TutorqError(f"{file}: has more than {MOST_BYTES >> 20} MiB")
        told = {"etag": answer.headers.get("ETag", ""), "modified": answer.headers.get("Last-Modified", "")}
    told["sha256"] = sha256(content).hexdigest()
    if told["sha256"] == known.get("sha256"):
        return told
    ending = "xlsx" if content[:4] == b"PK\x03\x04" else "parquet" if content[:4] == b"PAR1" else "csv"
    name = f"{file}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.{ending}"
    land(folder, name, lambda part: part.write_bytes(content))
    report.files.append(name)
    return told
