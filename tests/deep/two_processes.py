"""One process of several that train together: run as a program by test_processes.py."""

import json
import sys
from fractions import Fraction

import numpy as np
import torch
from torch import distributed, nn

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import DpsynthError
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.dpsgd.processes import Processes
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.source import UnitRows
from dpsynth.testing.worlds import GeneratedSource

DOMAIN = Domain(sizes={"a": 5, "b": 5, "c": 5, "d": 5})


class Source(GeneratedSource):
    """Rows of persons with up to two rows each."""

    def unit_rows(self):
        """Return every two rows as one unit."""
        rows = super().unit_rows()
        return UnitRows(codes=rows.codes, units=np.arange(len(rows.codes)) // 2)


def curator(rule, rows, *, cap=20):
    """Return a curator over the same made-up rows in every process."""
    drawn = np.random.default_rng(0).integers(0, 5, size=(rows, 4))
    ledger = Ledger.in_memory(cap_epsilon=cap, cap_delta=Fraction(1, 10**6))
    unit = PrivacyUnit(max_rows=2, name="person")
    return Curator(
        Source(dict(zip("abcd", drawn.T, strict=True)), DOMAIN),
        unit=unit,
        account=ledger.open_release(rho=Fraction(0), trained=[rule.event(unit)], seeded=True),
        rng=SeededRandom(1),
    )


def loss(model, rows):
    """Return a number a row."""
    return torch.sin(model(rows.float())).sum(1)


def train(rule, rows, processes):
    """Train a small network; return its weights and what the ledger shows."""
    held = curator(rule, rows)
    torch.manual_seed(3 if processes is None else processes.rank)  # alike only by being made so
    net = nn.Linear(4, 3)
    released = held.train(rule, label="training", processes=processes)
    gradients = []
    for _ in range(rule.steps):
        found = released.release(net, loss)
        gradients.append(torch.cat([each.flatten() for each in found.values()]).tolist())
        with torch.no_grad():
            for name, each in net.named_parameters():
                each -= 0.1 * found[name]
    return {
        "weights": torch.cat([each.detach().flatten() for each in net.parameters()]).tolist(),
        "gradients": gradients,
        "events": [repr(entry.event) for entry in held.account.entries],
    }


def main():
    """Run every case, and print what came of it as JSON."""
    rank, count, address = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=count)
    processes = Processes()
    noisy = StepRule(
        rate=Fraction(1, 4),
        noise_multiplier=Fraction(2),
        clip=0.5,
        steps=150,
        expected_units=40,
    )
    exact = StepRule(
        rate=Fraction(1),
        noise_multiplier=Fraction(1, 10**3),
        clip=0.5,
        steps=1,
        expected_units=1,
    )
    found = {"noise": train(noisy, 0, processes), "all": train(noisy, 81, processes)}
    # Accounted for nowhere: the noise is next to none, so that the sum shows.
    found["sum"] = summed(exact, processes)
    for case in ("poor", "other rows", "other rule"):
        try:
            refused(case, noisy, processes)
        except DpsynthError as error:
            found[case] = f"{type(error).__name__}: {error}"
    distributed.destroy_process_group()
    sys.stdout.write("\n" + json.dumps(found) + "\n")


def summed(rule, processes):
    """Return the nearly exact sum over all units, and the one of a single process."""
    from dpsynth.privacy.dpsgd.engines import BookKeeping
    from dpsynth.privacy.dpsgd.step import PrivateGradients
    from dpsynth.privacy.dpsgd.stream import KeyedStream

    codes = np.random.default_rng(0).integers(0, 5, size=(81, 4))
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    made = [
        PrivateGradients(
            UnitRows(codes=codes, units=np.arange(81) // 2),
            max_rows=2,
            rule=rule,
            engine=BookKeeping(),
            stream=KeyedStream(bytes(31) + bytes([1 + each])),
            processes=group,
        ).release(net, loss)
        for each, group in enumerate((processes, None))
    ]
    return [torch.cat([part.flatten() for part in each.values()]).tolist() for each in made]


def refused(case, rule, processes):
    """Try what must be refused in every process."""
    other = processes.rank == 1
    held = curator(rule, 80 + 2 * (other and case == "other rows"))
    if case == "poor" and processes.first:
        held.train(rule, label="the only one that is paid for")
    if case == "other rule" and other:
        rule = StepRule(**{**vars(rule), "expected_units": 41})
    held.train(rule, label="training", processes=processes)


if __name__ == "__main__":
    main()
