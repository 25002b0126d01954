"""A real release of a real health table that a PyPI package ships, by the usual commands."""
