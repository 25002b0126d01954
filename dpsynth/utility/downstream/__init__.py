"""Classifiers that learn from synthetic rows and are tested on real ones.

    task = Task.of(schema, "relapse", ("True",))
    shares = train("boosting", synthetic, schema, task, seed=0).shares(holdout)
    figures = measure(shares, task.labels(holdout, schema))

``private_shares`` trains diffprivlib's private classifiers on the real rows instead, which is the
other option that a user has (extra ``baselines``).
"""

from dpsynth.utility.downstream.measures import measure
from dpsynth.utility.downstream.models import Predictor, train
from dpsynth.utility.downstream.private import private_shares
from dpsynth.utility.downstream.task import Task

__all__ = ["Predictor", "Task", "measure", "private_shares", "train"]
