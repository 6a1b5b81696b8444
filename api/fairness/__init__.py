"""Whether some groups of tutors are raised or excused more often than others."""
