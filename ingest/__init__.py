"""Landing files (CSV, Excel, Parquet) into the schema `raw`; bad rows into quarantine."""

from ingest.arrivals import PROCESSED, LandedFile, complete_files, has_landing_files, left_alone
from ingest.files import landing_files
from ingest.filing import FileReport, failures
from ingest.landing_directory import Taken, take_files, unmoved_files
from ingest.load import load_file, load_folder
from ingest.summary import FileError, FileSummary, FolderSummary, Progress
from ingest.unknown import long_unknown

__all__ = [
    "PROCESSED",
    "FileError",
    "FileReport",
    "FileSummary",
    "FolderSummary",
    "LandedFile",
    "Progress",
    "Taken",
    "complete_files",
    "failures",
    "has_landing_files",
    "landing_files",
    "left_alone",
    "load_file",
    "load_folder",
    "long_unknown",
    "take_files",
    "unmoved_files",
]
