"""A suite is read strictly, and its cells are the grid."""

import pytest

from dpsynth.bench.datasets import Dataset
from dpsynth.bench.suite import Contender
from dpsynth.bench.suite_file import read_suite
from dpsynth.errors import DpsynthError, UsageError

SUITE = """
format = "dpsynth-suite/1"
epsilon = [0.1, "1/3"]
delta = 1e-9
seeds = "100-102"

[[datasets]]
name = "randhie"
package = "statsmodels"

[[synthesizers]]
name = "mst"
label = "mst-2"
settings = { rare_below = 2 }
epsilon = 1
seeds = [101, 200]

[[synthesizers]]
name = "aim"
peer = "dpmm"
"""


def read(tmp_path, text):
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return read_suite(path)


def test_the_grid_has_the_floors_and_each_its_own_budgets_and_seeds(tmp_path):
    suite = read(tmp_path, SUITE)
    assert suite.name == "small"
    assert suite.folder == tmp_path
    labels = [contender.label for contender in suite.contenders]
    assert labels == ["resample", "independent", "mst-2", "dpmm-aim"]
    cells = [(c.contender.label, c.epsilon, c.seed) for c in suite.cells()]
    assert len(cells) == len(set(cells)) == 3 + 2 * 3 + 2 + 2 * 3
    assert ("resample", None, 102) in cells
    assert ("dpmm-aim", "1/3", 100) in cells
    assert {cell for cell in cells if cell[0] == "mst-2"} == {
        ("mst-2", "1", 101),
        ("mst-2", "1", 200),
    }
    assert {cell.delta for cell in suite.cells()} == {None, "1e-09"}


def test_a_synthesizer_may_have_other_seeds_at_other_budgets(tmp_path):
    again = '\n[[synthesizers]]\nname = "aim"\npeer = "dpmm"\n'
    apart = SUITE + "epsilon = 1\n" + again + "epsilon = 3\nseeds = [7]\n"
    cells = [(c.epsilon, c.seed) for c in read(tmp_path, apart).cells() if c.contender.peer]
    assert sorted(cells) == [("1", 100), ("1", 101), ("1", 102), ("3", 7)]
    for more in ("", "epsilon = 0.1\nseeds = [102]\n", "epsilon = 3\nsettings = { n = 1 }\n"):
        with pytest.raises(UsageError, match="'dpmm-aim' is listed twice"):
            read(tmp_path, SUITE + again + more)


def test_a_suite_may_do_without_a_delta(tmp_path):
    suite = read(tmp_path, SUITE.replace("1e-9", "0"))
    assert {cell.delta for cell in suite.cells()} == {None, "0"}


def test_a_synthesizer_can_be_kept_to_some_tables(tmp_path):
    more = '\n[[datasets]]\nname = "adult"\n'
    suite = read(tmp_path, SUITE + 'datasets = ["adult"]\n' + more)
    placed = {(c.dataset.name, c.contender.label) for c in suite.cells()}
    assert ("adult", "dpmm-aim") in placed
    assert ("randhie", "dpmm-aim") not in placed
    assert {("adult", "mst-2"), ("randhie", "mst-2")} < placed


def test_a_key_names_what_decides_the_outcome_and_nothing_else(tmp_path):
    def keys(text):
        return [cell.key for cell in read(tmp_path, text).cells()]

    first = keys(SUITE)
    assert len(set(first)) == len(first)
    assert keys(SUITE) == first
    assert keys('name = "other"\nlimit_seconds = 5\n' + SUITE.lstrip()) == first
    floors = {cell.key for cell in read(tmp_path, SUITE).cells() if cell.delta is None}
    assert set(keys(SUITE.replace("1e-9", "1e-8"))) & set(first) == floors
    assert set(keys(SUITE.replace("rare_below = 2", "rare_below = 3"))) != set(first)


def test_fresh_noise_has_numbers_of_runs_and_no_seed(tmp_path):
    suite = read(tmp_path, SUITE.replace('seeds = "100-102"', "fresh = 2"))
    assert suite.fresh
    assert suite.seeds == (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("delta =", "dleta =", "no key is called 'dleta'"),
        ('package = "stats', 'pakage = "stats', "no key is called 'pakage'"),
        ('peer = "dpmm"', 'from = "dpmm"', "no key is called 'from'"),
        ("dpsynth-suite/1", "dpsynth-suite/2", "must say: format"),
        ('seeds = "100-102"', "", "1 to 1000 seeds"),
        ('seeds = "100-102"', 'seeds = "b-a"', "seeds must be"),
        ('seeds = "100-102"', "seeds = [-1]", "seeds must be"),
        ('seeds = "100-102"', "seeds = [1]\nfresh = 2", "not both"),
        ('seeds = "100-102"', "fresh = true", "whole number"),
        ("epsilon = [0.1", "epsilon = [0", "epsilon must be above 0"),
        ("delta = 1e-9", 'delta = "small"', "delta must be above 0"),
        ("settings = { rare_below = 2 }", "settings = 2", "settings of 'mst' is of the wrong kind"),
        ('label = "mst-2"', 'label = "dpmm-aim"', "'dpmm-aim' is listed twice"),
        ("[[datasets]]\n", "[[tables]]\n", "no key is called 'tables'"),
        ('name = "randhie"', "bins = 3", "needs a name"),
        ("delta = 1e-9", "limit_seconds = 0", "limit_seconds"),
        ("delta = 1e-9", 'protocol = "thirds"', "no protocol is called 'thirds'"),
        ("delta = 1e-9", "delta = = 1", "not TOML"),
        ('package = "statsmodels"', 'codes = "x.parquet"', "both codes and sizes"),
        ('package = "statsmodels"', "bins = 0", "bins must be at least 1"),
        ('package = "statsmodels"', "drop = 3", "must be a list of names"),
        ('peer = "dpmm"', 'datasets = ["adult"]', "the suite has no data set 'adult'"),
        ('package = "statsmodels"', "made = 3", "made of 'randhie' is of the wrong kind"),
        ('package = "statsmodels"', 'made = "chain"', "say how many rows"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, old, new, said):
    assert old in SUITE
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        read(tmp_path, SUITE.replace(old, new, 1))


def test_a_missing_suite_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_suite(tmp_path / "none.toml")


def test_a_table_comes_from_one_place():
    with pytest.raises(DpsynthError, match="one place"):
        Dataset(name="a", package="statsmodels", codes="a.parquet", sizes="a.json")


def test_a_label_is_made_where_none_is_given():
    assert Contender(name="mst").label == "mst"
    assert Contender(name="mst", peer="dpmm").label == "dpmm-mst"
