"""The benchmark: a grid of tables, synthesizers, budgets and seeds; peers; tables and plots.

For researchers, on public tables only: it compares synthetic rows with real ones outside every
mechanism, and what it computes is covered by no guarantee.
"""
