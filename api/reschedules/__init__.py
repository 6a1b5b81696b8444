"""Reschedules, and what excuses them."""
