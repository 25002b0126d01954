"""Killed at any moment and raced by many writers, the ledger is never under-counted."""

import os
import subprocess
import sys
from fractions import Fraction

from dpsynth.privacy.ledger import Ledger

KILLS = int(os.environ.get("DPSYNTH_KILLS", "200"))  # more by night
WRITERS = 8

# Run alone in a fresh interpreter with one thread, so that forking is safe. Each child charges and
# then tells its parent; the parent kills it after a random moment and counts what it was told.
KILLED = """
import os, random, select, signal, sys, time
from fractions import Fraction
from dpsynth.privacy.events import DiscreteGaussianEvent
from dpsynth.privacy.ledger import Charge, Ledger

path, kills = sys.argv[1], int(sys.argv[2])
event = DiscreteGaussianEvent(sigma_squared=Fraction(10**6), l2_sensitivity_squared=Fraction(1))
moments = random.Random(5)
with Ledger.open(path) as ledger:
    ledger.cap.rho  # remembered by the children, so that they are killed while debiting
told = 0
for number in range(kills):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with Ledger.open(path) as ledger:
            account = ledger.open_release(rho=Fraction(1, 1000), seeded=False)
            os.write(writer, b"!")
            while True:
                account.charge([Charge(event=event, label="marginal(a)")] * 2)
                os.write(writer, b"..")
    os.read(reader, 1)  # killed while it debits, not while it opens the file
    for _ in range(number % 3):  # so that a busy machine sees debits as well
        told += len(os.read(reader, 2))
    time.sleep(moments.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(writer)
    while select.select([reader], [], [], 0)[0] and (heard := os.read(reader, 65536)):
        told += len(heard)
    os.close(reader)
print(told)
"""

RACED = """
import sys
from fractions import Fraction
from dpsynth.errors import BudgetExceededError
from dpsynth.privacy.events import DiscreteGaussianEvent
from dpsynth.privacy.ledger import Charge, Ledger

event = DiscreteGaussianEvent(sigma_squared=Fraction(10_000), l2_sensitivity_squared=Fraction(1))
made = 0
with Ledger.open(sys.argv[1]) as ledger:
    try:
        while True:
            account = ledger.open_release(rho=Fraction(1, 20_000), seeded=False)
            made += len(account.charge([Charge(event=event, label="marginal(a)")]))
    except BudgetExceededError:
        print(made)
"""


def run(script, *arguments):
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **single},
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(process):
    printed, _ = process.communicate(timeout=120 + KILLS)
    assert process.returncode == 0
    return int(printed)


def test_killed_writers_never_leave_less_than_they_were_told(tmp_path):
    path = tmp_path / "people.ledger"
    Ledger.create(path, cap_epsilon=Fraction(10), cap_delta=Fraction(1, 10**9)).close()
    told = finished(run(KILLED, str(path), str(KILLS)))
    with Ledger.open(path) as ledger:
        ledger.verify()
        entries = ledger.entries()
        assert told > KILLS // 4  # the kills fell among real debits
        assert (
            told <= len(entries) <= told + 2 * KILLS
        )  # a child dies after at most one untold debit
        assert ledger.spent == len(entries) * Fraction(1, 2 * 10**6)


def test_racing_writers_fill_the_cap_and_never_pass_it(tmp_path):
    path = tmp_path / "people.ledger"
    Ledger.create(path, cap_epsilon=Fraction(1), cap_delta=Fraction(1, 10**9)).close()
    made = [finished(process) for process in [run(RACED, str(path)) for _ in range(WRITERS)]]
    with Ledger.open(path) as ledger:
        ledger.verify()
        cost = Fraction(1, 20_000)
        assert sum(made) == len(ledger.entries()) == ledger.cap.rho // cost
        assert 0 <= ledger.left < cost
