"""One person's data: read, and asked to be erased, by admins."""
