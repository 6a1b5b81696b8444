"""The read API: published scores over HTTP."""
