"""Landing files (CSV, gzipped CSV, Parquet) into the schema `raw`; bad rows into quarantine."""

from core.landing.arrivals import PROCESSED, LandedFile, complete_files, has_landing_files, left_alone
from core.landing.directory import Taken, take_files, unmoved_files
from core.landing.files import landing_files
from core.landing.filing import FileReport, failures
from core.landing.load import load_file, load_folder
from core.landing.summary import FileError, FileSummary, FolderSummary, Progress

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
    "take_files",
    "unmoved_files",
]
