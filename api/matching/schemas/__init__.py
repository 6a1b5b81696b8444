"""What the matching endpoints take and give."""
