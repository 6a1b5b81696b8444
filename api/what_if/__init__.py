"""What other settings of scoring would have done."""
