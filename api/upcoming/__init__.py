"""Sessions to come, and how likely tutor or student fail them."""
