"""Attacks that guess a column of a person's record."""
