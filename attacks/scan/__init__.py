"""The raw-value scan: does anything of a person stand in the release as it was?"""
