"""Synthesizers: frozen settings with a plan and a fit, one file each."""
