"""One tutor compared with all others."""
