"""Offers of tutors to students: slates that are drawn and written, and what was accepted of them."""
