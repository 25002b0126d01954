"""How close a synthetic table is to the real one. Internal: feeds no release and no public file."""
