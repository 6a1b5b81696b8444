"""What changes, as it happens: a stream of server-sent events."""
