"""Tutors with their scores."""
