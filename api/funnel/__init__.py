"""The funnel plot: every tutor as a point."""
