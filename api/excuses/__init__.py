"""What excuses sessions: single ones, or all of a tutor's day."""
