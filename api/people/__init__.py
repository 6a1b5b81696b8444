"""Tutors and students of the marketplace, as they are stored."""
