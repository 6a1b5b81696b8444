"""Who could give a planned session in place of its tutor."""
