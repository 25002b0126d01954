"""The data dictionary says what columns hold and how far intervals can be trusted."""

import dpsynth
from dpsynth.release.dictionary import data_dictionary

SCHEMA = dpsynth.Schema.from_dict(
    {
        "format": "dpsynth-schema/1",
        "columns": [
            {"name": "pid", "kind": "identifier"},
            {
                "name": "sex",
                "kind": "categorical",
                "values": ["f", "m"],
                "labels": {"f": "female"},
                "nullable": True,
                "description": "as told | by the person",
            },
            {"name": "age", "kind": "integer", "bounds": [0, 110], "unit_of_measure": "years"},
        ],
    }
)


def test_columns_and_warnings_stand_in_it():
    text = data_dictionary(SCHEMA, ["ill, age: do not trust\nthe interval."])
    assert "| sex | categorical | f (female), m | yes | as told \\| by the person |" in text
    assert "| age | integer | 0 to 110 years | no |" in text
    assert "- Warning: ill, age: do not trust the interval." in text
    assert "dpsynth replicate" in text


def test_without_warnings_it_still_says_what_one_table_is_worth():
    assert "Warning" not in data_dictionary(SCHEMA)
    assert "too narrow" in data_dictionary(SCHEMA)
