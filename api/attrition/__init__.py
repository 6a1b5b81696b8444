"""How probable it is that a tutor stops."""
