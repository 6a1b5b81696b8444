"""What tutors object to, and what people decide about it."""
