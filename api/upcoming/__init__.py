"""Sessions to come, and how likely the tutor is to let them down."""
