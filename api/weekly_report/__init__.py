"""The weekly report for leads, as the mail has it."""
