"""Planted privacy bugs, each with the audit that must catch it: the audits on trial.

The only place that patches the library, and it does so in processes of its own.
"""
