"""Exact statistics: intervals, tests and powers that hold for every sample size."""
