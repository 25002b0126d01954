"""What mutants are made of: correct synthesizers with schemas that reach all of their parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attacks.conformance.trial import Trial

_ROWS: dict[str, Any] = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
        {"name": "cost", "kind": "continuous", "bounds": [0, 1000], "bins": 8},
        {"name": "pid", "kind": "identifier"},
    ],
    "expected_rows": 1000,
}
_PERSONS = {**_ROWS, "unit": {"kind": "person", "column": "pid", "max_rows": 3}}
_OPEN = {
    **_PERSONS,
    "columns": [
        *(column for column in _PERSONS["columns"] if column["name"] != "cost"),
        {"name": "cost", "kind": "continuous", "bounds": [0, 1000]},
        {"name": "town", "kind": "categorical", "open": True},
    ],
}
_DATES = {
    **_PERSONS,
    "columns": [
        *_PERSONS["columns"],
        {"name": "seen", "kind": "date", "bounds": ["2001-01-01", "2020-12-31"], "bins": 10},
    ],
}
_RULED = {**_PERSONS, "rules": [{"forbid": {"sex": "m", "ward": ["a", "b"]}}]}
_ONE_ROW = {**_ROWS, "unit": {"kind": "person", "column": "pid", "max_rows": 1}}
_LARGE = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 100},
        {"name": "year", "kind": "integer", "bounds": [1, 120], "bins": 120},
        {"name": "pid", "kind": "identifier"},
    ],
    "unit": {"kind": "person", "column": "pid", "max_rows": 2},
    "expected_rows": 1000,
}
_MANY = {
    "columns": [
        *({"name": f"c{at:02}", "kind": "categorical", "values": ["y", "n"]} for at in range(26)),
        {"name": "pid", "kind": "identifier"},
    ],
    "unit": {"kind": "person", "column": "pid", "max_rows": 2},
    "expected_rows": 1000,
}
_PAIR = {**_PERSONS, "columns": [each for each in _PERSONS["columns"] if each["name"] != "cost"]}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A synthesizer with settings, a schema and a budget.

    Args:
        synthesizer: its registered name.
        settings: of the synthesizer.
        schema: as a document.
        epsilon: exact text.
        delta: exact text.
        trains: whether torch is needed.
        prior: shares that a prior of the synthesizer states.
    """

    synthesizer: str
    schema: Mapping[str, Any]
    settings: Mapping[str, Any]
    epsilon: str = "1"
    delta: str = "1/1000000000"
    trains: bool = False
    prior: Mapping[Any, Any] | None = None

    def trial(
        self, *, seed: int, fits: int, pairs: int, child: tuple[str, ...], plain: bool = False
    ) -> "Trial":
        """Put it on trial; where ``plain``, without odd cells and loud budgets."""
        import dpsynth
        from attacks.conformance.trial import Trial

        schema, settings = dpsynth.Schema.from_dict(dict(self.schema)), dict(self.settings)
        if self.prior is not None:
            settings["prior"] = dpsynth.PublicPrior.from_shares(
                self.prior, schema, source="made up for a trial", strength=1000
            )
        return Trial(
            synthesizer=dpsynth.synthesizer(self.synthesizer, **settings),
            schema=schema,
            epsilon=self.epsilon,
            delta=self.delta,
            seed=seed,
            fits=fits,
            pairs=pairs,
            child=child,
            odd=not plain,
            louder=not plain,
        )


def _subject(name: str, schema: Mapping[str, Any], **more: Any) -> Subject:
    settings = more.pop("settings", {})
    return Subject(synthesizer=name, schema=schema, settings=settings, **more)


def _trained(name: str, **settings: Any) -> Subject:
    return _subject(
        name,
        _PAIR,
        settings={"training_steps": 12, **settings},
        epsilon="4",
        delta="1/1000000",
        trains=True,
    )


SUBJECTS: Mapping[str, Subject] = {
    "independent": _subject("independent", _PERSONS),
    "independent with a large budget": _subject("independent", _PERSONS, epsilon="300"),
    "independent without a delta": _subject("independent", _PERSONS, delta="0"),
    "mst": _subject("mst", _PERSONS),
    "mst of rows": _subject("mst", _ROWS),
    "mst of open columns": _subject("mst", _OPEN),
    "aim": _subject("aim", _PERSONS),
    "auto": _subject("auto", _PERSONS),
    "privbayes": _subject("privbayes", _PERSONS),
    "privbayes without a delta": _subject("privbayes", _PERSONS, delta="0"),
    "independent of dates": _subject("independent", _DATES),
    "made": _trained("made"),
    "vae": _trained("vae"),
    "gan": _trained("gan"),
    "gan conditional": _trained("gan", first="sex"),
    "hybrid": _trained("hybrid", warm_steps=12),
    "transformer": _trained("transformer"),
    "mst of a large budget": _subject("mst", _PERSONS, epsilon="60"),
    "mst of one row a person": _subject("mst", _ONE_ROW),
    "mst with rules": _subject("mst", _RULED),
    "aim with a target": _subject("aim", _PERSONS, settings={"target": "sex"}),
    "auto with a target": _subject("auto", _PERSONS, settings={"target": "sex"}),
    "auto with a prior": _subject("auto", _PERSONS, prior={"sex": [0.5, 0.5]}),
    "auto of many columns": _subject("auto", _MANY),
    "direct": _subject("direct", _PERSONS),
    "direct of large tables": _subject("direct", _LARGE),
}
