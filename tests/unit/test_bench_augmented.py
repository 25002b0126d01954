"""Recorded runs of the augmentation study become tables and curves."""

import json

import pytest

from dpsynth.bench import augmented

METHODS = {"real only": 0.6, "SMOTE": 0.6, "1 synthetic row a real one": 0.7}


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "results.jsonl"
    made = [
        {
            "study": study,
            "seed": seed,
            "epsilon": "1",
            "delta": "1e-6",
            "synthesizer": "auto",
            "cpu_seconds": 1.5,
            "commit": "abc",
            "machine": "here",
            "versions": {"numpy": "2"},
            "gap": {
                "n": 100,
                "synthetic": 0.3,
                "real": 0.5,
                "found": seed > 1,
                "pretrained": 10,
            },
            "runs": [
                {
                    "design": "same rows",
                    "model": "boosting",
                    "method": method,
                    "n": n,
                    "seed": seed,
                    "auroc": value + 0.001 * seed * n + (0.0001 * seed if value > 0.6 else 0),
                }
                for method, value in METHODS.items()
                for n in (50, 1000)
            ],
        }
        for study in ("one", "other")
        for seed in (1, 2, 3)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in made), encoding="utf-8")
    return augmented.read(path)


def test_tables_say_means_differences_and_verdicts(lines):
    text = augmented.markdown(lines, "one", "boosting", "auroc")
    assert "| real rows | 50 | 1,000 |" in text
    assert "Less **real only**" in text
    helped = [row for row in text.splitlines() if row.startswith("| 1 synthetic") and "to" in row]
    assert len(helped) == 2  # against the real rows alone, and against SMOTE
    assert all(row.count("**helps**") == 2 for row in helped)
    assert "seeds 1 to 3; 4 CPU s" in text
    assert text.count("abc") == 1


def test_gaps_are_counted_over_seeds(lines):
    text = augmented.gaps(lines)
    assert "| one | 100 | 0.300 | 0.500 | +0.200 | 2 of 3 | 10 |" in text


def test_the_plot_has_the_same_bytes_again(lines, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    drawn = []
    for folder in folders:
        folder.mkdir()
        path = augmented.plot(lines, "one", "boosting", "auroc", folder, prefix="x-")
        assert path.name == "x-one-boosting-auroc.svg"
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1]
    assert b"1 synthetic row a real one" in drawn[0]


def test_no_file_has_no_lines(tmp_path):
    assert augmented.read(tmp_path / "nothing.jsonl") == []
