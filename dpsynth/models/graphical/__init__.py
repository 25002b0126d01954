"""Graphical models of a table: estimation, marginals and sampling; post-processing only."""
