"""Cases: who looks after a tutor of whom there is a concern, and what came of it."""
