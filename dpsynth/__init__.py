"""Differentially private synthetic data, attacked and certified."""
