"""Measurements of what we claim, each beside a peer or a limit on the same machine: `python -m benchmarks`."""
