"""A small schema that tests of files, databases and Spark share."""


def people_toml(*, expected_rows: int) -> str:
    """Return a schema file of two columns, ``age`` and ``sex``."""
    return f"""
format = "dpsynth-schema/1"
expected_rows = {expected_rows}

[[columns]]
name = "age"
kind = "integer"
bounds = [0, 100]
bins = [0, 20, 40, 60, 80, 100]

[[columns]]
name = "sex"
kind = "categorical"
values = ["f", "m"]
"""
