"""One tutor beside all others."""
