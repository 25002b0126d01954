"""The training step of DP-SGD: the one place where floating-point numbers meet private rows."""
