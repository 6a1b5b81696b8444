"""The audit log: who did what by hand, and who was refused."""
