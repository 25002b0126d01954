"""Synthetic rows beside real ones: mixing, fine-tuning, and whether it helps.

Everything here reads the custodian's rows and is internal. A table that holds real rows is as
private as they are, whatever was added to it.
"""
