"""Attacks that match two partial records of one person through the release, and their game."""
