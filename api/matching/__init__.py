"""Which student should be taught by whom: people, predictions for pairs, explanations and assignments."""
