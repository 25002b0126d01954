"""Analyses that survive: several synthetic copies, combining rules, and named analyses."""

from dpsynth.utility.replication.combining import Combined, fully_synthetic, partially_synthetic

__all__ = ["Combined", "fully_synthetic", "partially_synthetic"]
