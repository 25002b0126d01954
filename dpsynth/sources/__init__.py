"""Where exact counts come from."""
