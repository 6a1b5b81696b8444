"""The `tutorq` command."""
