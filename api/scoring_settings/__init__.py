"""Settings of scoring: what is in force, and applying others."""
