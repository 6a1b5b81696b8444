"""What booking tools tell of their own accord."""
