"""The platform at a glance."""
