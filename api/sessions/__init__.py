"""Sessions as they are posted."""
