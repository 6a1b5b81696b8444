"""Rows that could not be taken."""
