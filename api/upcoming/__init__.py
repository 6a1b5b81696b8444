"""Sessions to come, and how likely the tutor is to move or miss them."""
