"""The kernel: the only code that turns private rows into releasable answers."""
