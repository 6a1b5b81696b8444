"""Figures for Prometheus, without anything about persons."""
