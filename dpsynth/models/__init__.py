"""Post-processing: models of noisy answers. Nothing here can reach the rows."""
