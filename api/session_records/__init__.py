"""Single sessions as they are stored, and their deletion."""
