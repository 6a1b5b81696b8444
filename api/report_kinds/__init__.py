"""Kinds of mail: who gets what and when, how it looks, and a test to oneself."""
