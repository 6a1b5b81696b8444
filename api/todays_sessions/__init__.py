"""Today's sessions by hour."""
