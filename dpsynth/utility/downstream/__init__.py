"""Classifiers that learn from synthetic rows and are tested on real ones."""
