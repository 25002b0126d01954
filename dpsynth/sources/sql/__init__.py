"""Cells to codes inside an engine: expressions that decide exactly as ``dpsynth.encoding`` does."""
