"""Links that open tutors' own pages."""
