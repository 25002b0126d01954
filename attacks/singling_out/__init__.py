"""Attacks that name a condition which one person alone meets, one file each, and their game."""
