"""All tutors together: notice, and who needs attention week by week."""
