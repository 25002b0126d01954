"""A network on disk: read without executing anything, and refused where it was tampered with."""

import json
import struct

import numpy as np
import pandas as pd
import pytest

safetensors = pytest.importorskip(
    "safetensors.numpy", reason="safetensors is not installed: pip install 'dpsynth[deep]'"
)

import dpsynth
from dpsynth.domain import Domain
from dpsynth.encoding import base_domain
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.errors import IntegrityError, UnfitEnvironmentError, UsageError
from dpsynth.models.neural.made_network import MadeNetwork
from dpsynth.models.neural.model import NeuralModel
from dpsynth.synthesizers import archive
from dpsynth.synthesizers.fitted import FittedModel

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
            {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
            {"name": "ill", "kind": "boolean", "nullable": True},
        ]
    }
)


def network(sizes):
    rng = np.random.default_rng(0)
    column = np.repeat(np.arange(len(sizes)), sizes)
    degree = np.arange(6) % (len(sizes) - 1)
    masks = {
        "hidden.weight": degree[:, None] >= column,
        "output.weight": column[:, None] > degree,
        "direct.weight": column[:, None] > column,
    }
    weights = {name: (rng.normal(size=m.shape) * m) for name, m in masks.items()}
    weights |= {"hidden.bias": rng.normal(size=6), "output.bias": rng.normal(size=sum(sizes))}
    return MadeNetwork(
        sizes=tuple(sizes), weights={n: w.astype(np.float32) for n, w in weights.items()}
    )


def fitted():
    domain = base_domain(SCHEMA)
    model = NeuralModel(
        domain=Domain(sizes=domain.sizes),
        total=200.0,
        order=domain.columns,
        network=network(domain.shape(domain.columns)),
    )
    coarsenings = {name: Coarsening.identity(size) for name, size in domain.sizes.items()}
    return FittedModel(
        schema=SCHEMA, model=model, coarsenings=coarsenings, synthesizer={"name": "made"}
    )


@pytest.fixture
def folder(tmp_path):
    fitted().save(tmp_path / "model")
    return tmp_path / "model"


def test_it_reads_what_it_wrote_and_draws_the_same_table(folder):
    read = FittedModel.load(folder)
    first, second = fitted().sample(seed=3), read.sample(seed=3)
    pd.testing.assert_frame_equal(first, second)
    assert len(first) == 200
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]
    assert np.array_equal(read.log_likelihood(first), fitted().log_likelihood(first))


def test_equal_models_give_equal_bytes(folder, tmp_path):
    fitted().save(tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_conditions_by_value(folder):
    read = FittedModel.load(folder)
    drawn = read.sample(300, seed=0, given={"sex": "F", "age": [20, 30]})
    assert set(drawn["sex"]) == {"F"}
    assert drawn["age"].between(20, 30).all()
    with pytest.raises(UsageError):
        read.sample(5, seed=0, given={"sex": "X"})


def test_the_loader_needs_no_torch(folder):
    import subprocess
    import sys

    code = (
        "import sys, dpsynth; sys.modules['torch'] = None\n"
        f"print(len(dpsynth.load_model({str(folder)!r}).sample(7, seed=0)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "7"


def rewrite(folder, change):
    arrays = safetensors.load_file(folder / archive.SAFETENSORS)
    change(arrays)
    safetensors.save_file(arrays, folder / archive.SAFETENSORS)


def spoil_nan(arrays):
    arrays["neural/hidden.bias"][0] = np.nan


def spoil_shape(arrays):
    arrays["neural/hidden.bias"] = np.zeros(600, np.float32)


def spoil_type(arrays):
    arrays["neural/hidden.bias"] = arrays["neural/hidden.bias"].astype(np.float64)


def spoil_name(arrays):
    arrays["another"] = np.zeros(1, np.float32)


def spoil_absent(arrays):
    del arrays["groups/0"]


def spoil_groups(arrays):
    arrays["groups/0"][:] = 7


def spoil_weights(arrays):
    arrays["weights/0"][:] = np.nan


@pytest.mark.parametrize(
    "change",
    [spoil_nan, spoil_shape, spoil_type, spoil_name, spoil_absent, spoil_groups, spoil_weights],
)
def test_tampered_arrays_are_refused(folder, change):
    rewrite(folder, change)
    with pytest.raises(IntegrityError):
        FittedModel.load(folder)


def test_a_huge_claim_is_refused_before_anything_is_made(folder, monkeypatch):
    """Both files say that a matrix of terabytes follows."""
    header = json.loads((folder / "model.json").read_text())
    header["neural"]["network"]["hidden"] = 2**20
    (folder / "model.json").write_text(json.dumps(header))
    with pytest.raises(IntegrityError):
        FittedModel.load(folder)
    codes = sum(size for _, size in header["neural"]["sizes"])
    claim = {
        name: {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 4 * int(np.prod(shape))]}
        for name, shape in NeuralModel.shapes(header["neural"]).items()
    }
    assert claim["hidden.weight"]["shape"] == [2**20, codes]
    text = json.dumps(claim).encode()
    (folder / archive.SAFETENSORS).write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(IntegrityError):
        FittedModel.load(folder)


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"\xff" * 64, b"PK\x03\x04"])
def test_other_bytes_are_refused(folder, data):
    (folder / archive.SAFETENSORS).write_bytes(data)
    with pytest.raises(IntegrityError):
        FittedModel.load(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 100_000, '{"format": "dpsynth-model/2"}']
)
def test_other_documents_are_refused(folder, text):
    (folder / "model.json").write_text(text)
    with pytest.raises(IntegrityError):
        FittedModel.load(folder)


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        (("neural", "total"), float("nan")),
        pytest.param(("neural", "total"), 10**400, id="no float"),
        (("neural", "sizes"), [["sex", 10**30], ["age", 10], ["ill", 3]]),
        (("neural", "order"), ["sex", "age"]),
        (("neural", "network"), {"kind": "made", "hidden": 10**6}),
        (("neural", "network"), {"kind": "subprocess:run"}),
        (("neural", "targets"), {"total": 1.0, "tables": [{"columns": ["z"], "stddev": 1}]}),
        (("coarsened",), ["sex", "age", "z"]),
        (("coarsened",), ["sex"]),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(folder, at, wrong):
    document = json.loads((folder / "model.json").read_text())
    place = document
    for name in at[:-1]:
        place = place[name]
    place[at[-1]] = wrong
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(IntegrityError):
        FittedModel.load(folder)


def test_a_missing_part_is_refused(folder):
    (folder / archive.SAFETENSORS).unlink()
    with pytest.raises(IntegrityError):
        FittedModel.load(folder)


def test_without_safetensors_a_sentence_says_what_to_install(folder, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(UnfitEnvironmentError, match="pip install"):
        FittedModel.load(folder)
    with pytest.raises(UnfitEnvironmentError, match="pip install"):
        fitted().save(tmp_path / "other")
    assert not (tmp_path / "other").exists()
