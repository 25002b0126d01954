"""Networks that the DP-SGD generators train and sample from; post-processing, no row is read."""
