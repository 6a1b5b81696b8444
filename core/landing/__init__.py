"""Landing files (CSV, gzipped CSV, Parquet) into the schema `raw`; bad rows into quarantine."""

from core.landing.checksums import fingerprint
from core.landing.files import landing_files, loaded_files, refusal, refuse, settled_files
from core.landing.load import load_file, load_folder
from core.landing.summary import FileError, FileSummary, FolderSummary, Progress

__all__ = [
    "FileError",
    "FileSummary",
    "FolderSummary",
    "Progress",
    "fingerprint",
    "landing_files",
    "load_file",
    "load_folder",
    "loaded_files",
    "refusal",
    "refuse",
    "settled_files",
]
