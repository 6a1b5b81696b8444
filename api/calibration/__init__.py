"""How honest flags are: forecasts against what came."""
