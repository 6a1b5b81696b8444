"""A whole installation in one file, and back: `tutorq db backup` and `tutorq db restore`."""

from backup.make import make_backup
from backup.manifest import Manifest
from backup.restore import Restored, restore_backup

__all__ = ["Manifest", "Restored", "make_backup", "restore_backup"]
