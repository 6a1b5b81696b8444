"""The scores once more, by pure functions: counts (of sessions), then scores (of tutors)."""
