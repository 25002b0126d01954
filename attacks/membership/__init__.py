"""Attacks that tell whether a person was in the private table."""
