"""Whoever writes predictions, or people, raises their version in the same transaction: caches of the API go by it."""

RAISE_VERSION = "update ml.prediction_version set version = version + 1, changed_at = now()"
