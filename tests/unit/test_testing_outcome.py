"""What is seen of a fit, and what is not its own."""

import logging

import pytest

from dpsynth.testing.outcome import outcome_of


@pytest.mark.parametrize("logger", ["", "dpsynth", "py4japp", "stranger"])
def test_what_a_fit_logs_is_seen(logger):
    def fit():
        logging.getLogger(logger).debug("seven rows")
        return None, ()

    assert any("seven rows" in said for said in outcome_of(fit, written=False).said)


@pytest.mark.parametrize("logger", ["py4j.clientserver", "py4j", "pyspark.sql"])
def test_what_a_session_of_spark_logs_meanwhile_is_not_the_fits(logger):
    """Its garbage is collected at any time, in the middle of one fit of two as well."""

    def fit():
        logging.getLogger(logger).debug("Answer received: !yv")
        return None, ()

    assert not any("Answer" in said for said in outcome_of(fit, written=False).said)
