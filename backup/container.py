"""The file of a backup: a zip archive, which is complete or is not there.

    backup.json            what it is a backup of (manifest.py); written last
    database.dump          pg_dump's custom format
    models/<address>/…     the files of every model
    landing/…              landing files, if they were asked for

A zip can be written to a pipe, and ends with its list of contents: one that was cut off has none. Models and landing
files can be taken out with any unzip, the database with `unzip -p FILE database.dump | pg_restore`.
"""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from core.errors import TutorqError
from core.settings import Settings

MANIFEST, DATABASE, MODELS, LANDING = "backup.json", "database.dump", "models", "landing"
STREAM = Path("-")
AGE_HEADERS = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
PG_DUMP_HEADER = b"PGDMP"
CHUNK = 1 << 20


@contextmanager
def new_archive(path: Path, recipients: Sequence[str]) -> Iterator[zipfile.ZipFile]:
    """An archive to write to; `path` exists, whole, once this has been left without an error. `-` is standard output.

    Raises:
        TutorqError: the file exists, cannot be written, or age did not encrypt it.
    """
    try:
        with (
            _new_file(path) as file,
            _encrypted(file, recipients) as plain,
            zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as archive,
        ):
            yield archive
    except OSError as error:
        raise TutorqError(f"cannot write {path}: {_reason(error, path)}") from error


@contextmanager
def open_archive(path: Path, identity: Path | None, scratch: Path) -> Iterator[zipfile.ZipFile]:
    """An archive to read; what is encrypted or comes from standard input (`-`) first goes to a nameless file in
    `scratch`.

    Raises:
        TutorqError: it is no backup, is not complete, or cannot be decrypted.
    """
    try:
        with _seekable(path, scratch) as file, _decrypted(file, path, identity, scratch) as plain:
            head = plain.read(len(PG_DUMP_HEADER))
            if head == PG_DUMP_HEADER:
                raise TutorqError(
                    f"{path} is a file of pg_dump, not of `tutorq db backup`; see backups in docs/operations.md"
                )
            try:
                with zipfile.ZipFile(_rewound(plain)) as archive:
                    if {MANIFEST, DATABASE} - set(archive.namelist()):
                        raise TutorqError(f"{path} is no backup by `tutorq db backup`: it has no {MANIFEST} in it")
                    yield archive
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                raise TutorqError(f"{path} is no backup, or is not whole (cut off or damaged): {error}") from error
    except OSError as error:
        raise TutorqError(f"cannot restore {path}: {_reason(error, path)}") from error


@contextmanager
def new_member(archive: zipfile.ZipFile, name: str, *, compress: bool = True) -> Iterator[IO[bytes]]:
    """A file in the archive to write to, of any size, for its owner alone when it is taken out."""
    info = zipfile.ZipInfo(name, time.gmtime()[:6])
    info.external_attr = 0o600 << 16
    info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with archive.open(info, "w", force_zip64=True) as member:
        yield member


def pack(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    with new_member(archive, name) as member:
        member.write(content)


def members(archive: zipfile.ZipFile, folder: str) -> Iterator[zipfile.ZipInfo]:
    """The files of a folder of the archive.

    Raises:
        TutorqError: a name leads out of the folder, as no backup of ours has it.
    """
    for info in archive.infolist():
        if info.filename.startswith(f"{folder}/"):
            # An empty part is a folder, or begins an absolute path.
            if "\\" in info.filename or {"", ".", ".."} & set(info.filename.split("/")):
                raise TutorqError(f"this backup was tampered with: it holds {info.filename!r}")
            yield info


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when it is complete and on disk; until then it is `….part`, for its owner alone."""
    if path == STREAM:
        if sys.stdout.isatty():
            raise TutorqError("standard output is a terminal; send it somewhere, or name a file")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    _must_not_exist(path)
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TutorqError(f"{part} is being written by another backup") from error
        try:
            os.fchmod(file.fileno(), 0o600)
            file.truncate()  # what a killed backup has left
            yield file
            file.flush()
            os.fsync(file.fileno())
            _give_name(part, path)
        finally:
            part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _give_name(part: Path, path: Path) -> None:
    """A link, unlike a rename, never replaces a file that somebody made meanwhile."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        _must_not_exist(path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        _must_not_exist(path)  # no links on this file system
        part.rename(path)


def _must_not_exist(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise TutorqError(f"{path} exists; a backup overwrites nothing, so choose another name")
    if not path.parent.is_dir():
        raise TutorqError(f"there is no folder {path.parent}")


@contextmanager
def _encrypted(file: IO[bytes], recipients: Sequence[str]) -> Iterator[IO[bytes]]:
    """What is written here reaches the file by way of age, if there are recipients; no plain text is ever on disk."""
    if not recipients:
        yield file
        return
    words = [word for recipient in recipients for word in ("-R" if Path(recipient).is_file() else "-r", recipient)]
    with tempfile.TemporaryFile() as complaint:
        age = subprocess.Popen([_age(), "--encrypt", *words], stdin=subprocess.PIPE, stdout=file, stderr=complaint)
        assert age.stdin is not None
        try:
            yield age.stdin
            age.stdin.close()
        except BrokenPipeError:
            pass  # age says below why it ended
        except BaseException:
            age.kill()
            raise
        finally:
            with suppress(BrokenPipeError):
                age.stdin.close()
            age.wait()
        if age.returncode != 0:
            raise TutorqError(f"age did not encrypt the backup: {_complaint(complaint)}")


@contextmanager
def _decrypted(file: IO[bytes], path: Path, identity: Path | None, scratch: Path) -> Iterator[IO[bytes]]:
    head = file.read(max(map(len, AGE_HEADERS)))
    file.seek(0)
    if not head.startswith(AGE_HEADERS):
        yield _rewound(file)
        return
    if identity is None:
        raise TutorqError(f"{path} is encrypted with age; name the file of your key with --identity")
    with _scratch_file(scratch) as plain, tempfile.TemporaryFile() as complaint:
        command = [_age(), "--decrypt", "-i", str(identity)]
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # what age sees; Python's own place is that of its buffer
        age = subprocess.run(command, stdin=file, stdout=plain, stderr=complaint, check=False)
        if age.returncode != 0:
            raise TutorqError(f"age did not decrypt {path}: {_complaint(complaint)}")
        yield _rewound(plain)


@contextmanager
def _seekable(path: Path, scratch: Path) -> Iterator[IO[bytes]]:
    if path != STREAM:
        with path.open("rb") as file:
            yield file
        return
    if sys.stdin.isatty():
        raise TutorqError("standard input is a terminal; send a backup into it, or name a file")
    with _scratch_file(scratch) as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy, CHUNK)
        copy.flush()
        yield _rewound(copy)


def scratch_folder(settings: Settings) -> Path:
    """Where there is room for a whole backup: the home, or what TMPDIR says, as for containers, whose home is
    read-only."""
    return Path(os.environ.get("TMPDIR") or settings.home)


def _scratch_file(folder: Path) -> IO[bytes]:
    """A file without a name: it is gone with this process. Not in /tmp unasked, which may be in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def _rewound(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return file


def _reason(error: OSError, path: Path) -> str:
    other = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
    return f"{error.strerror or error}{other}"


def _age() -> str:
    if (program := shutil.which("age")) is None:
        raise TutorqError("age is not on the PATH; install it (https://age-encryption.org), or encrypt by other means")
    return program


def _complaint(file: IO[bytes]) -> str:
    file.seek(0)
    lines = [line.removeprefix("age: ") for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[0] if lines else "it does not say why"
