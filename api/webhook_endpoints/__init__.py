"""Addresses of other programs that are told of events, and every delivery to them."""
