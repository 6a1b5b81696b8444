"""What other services tell of their own accord."""
