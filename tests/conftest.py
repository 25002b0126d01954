"""What all tests share."""

import json
from hashlib import sha256
from types import SimpleNamespace

import pytest

from attacks import certificate, gate
from attacks.conformance import evidence

_GATHER = evidence.gather


@pytest.fixture(autouse=True)
def one_trial_a_plan(monkeypatch, tmp_path_factory):
    """Put each plan that is released on trial once in a run of the tests, not once a test.

    A trial is a pure function of plan, schema and code. Whoever calls ``evidence.gather`` directly,
    or replaces it, gets what it says.
    """
    folder = tmp_path_factory.getbasetemp()
    if folder.name.startswith("popen-"):  # of one of several processes
        folder = folder.parent
    held = folder / "trials"
    held.mkdir(exist_ok=True)

    def gather(plan, schema, **options):
        if options or evidence.gather is not _GATHER:
            return evidence.gather(plan, schema, **options)
        text = json.dumps([plan, schema.to_dict()], sort_keys=True, default=str)
        path = held / f"{sha256(text.encode()).hexdigest()}.json"
        if not path.exists():
            found = json.dumps(evidence.gather(plan, schema))
            own = path.with_suffix(f".{id(found)}")
            own.write_text(found, encoding="utf-8")
            own.replace(path)
        return json.loads(path.read_text(encoding="utf-8"))

    shared = SimpleNamespace(**{**vars(evidence), "gather": gather})
    monkeypatch.setattr(gate, "evidence", shared)
    monkeypatch.setattr(certificate, "evidence", shared)
