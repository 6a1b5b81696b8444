"""Whether the platform works."""
