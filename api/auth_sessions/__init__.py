"""Browsers that are logged in: a cookie instead of a key."""
