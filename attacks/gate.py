"""The gate of ``dpsynth release``, reached by the entry point ``dpsynth.gate``.

``dpsynth`` never imports ``attacks``; its release command finds this class by name and calls it in
this order: ``check_key`` and ``conform`` before anything is spent, ``certify_public`` on a public
folder that no computation on real rows has touched, and ``audit_internal`` only after that folder
stands under its final name.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attacks import certificate, dossier, keys
from attacks import policy as rules
from attacks.conformance import evidence
from dpsynth.errors import UsageError
from dpsynth.release import atomic, bundle

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

Training = tuple[int, Fraction]  # declared rows, and delta


class Gate:
    """Conform, certify, audit: what stands between a fitted model and a release."""

    def check_key(self, key: Path | None) -> tuple[str, bool]:
        """Return the signing key's fingerprint, and whether this user's key was made just now.

        Called first, so that an unusable key is found before any budget is spent.
        """
        if key is not None:
            return keys.load_private(key).public.fingerprint, False
        found, new = keys.user_key()
        return found.public.fingerprint, new

    def check_policy(self, given: Path | str | None, *, training: Training | None = None) -> str:
        """Return the name of the policy, or raise before any budget is spent.

        Args:
            given: a preset's name or a policy file; the default if not given.
            training: declared rows and delta of a release that trains.

        Raises:
            UsageError: the policy would fail that delta, whatever is released.
        """
        policy = rules.resolve(given)
        if training is not None:
            rows, delta = training
            limit = rules.most_delta(rows, policy)
            if limit is not None and delta > limit:
                raise UsageError(
                    f"delta is {float(delta):.2g}, and the policy {policy.name} fails a release "
                    f"that trains on {rows} declared rows above {float(limit):.2g}; ask for that "
                    "or less, or name a policy of your own with --policy; nothing was charged"
                )
        return policy.name

    def conform(
        self, plan: Mapping[str, Any], schema: "Schema", *, stored: Path | None = None
    ) -> dict[str, Any]:
        """Put the plan's mechanism on trial, on artificial rows only, or read what a trial found.

        Args:
            plan: of the release.
            schema: as it was declared.
            stored: what ``dpsynth conform --out`` wrote of this very synthesizer, schema and
                budget; the smoke tier runs now if not given.

        Raises:
            UsageError: ``stored`` is of something else, or was made by other versions.
        """
        if stored is not None:
            return evidence.stored(Path(stored), plan, schema)
        return evidence.gather(plan, schema)

    def certify_public(
        self,
        directory: Path,
        *,
        key: Path | None = None,
        checks: Mapping[str, Any] | None = None,
        policy: Path | str | None = None,
    ) -> certificate.Certificate:
        """Write report, certificate, signature and manifest beside a finished payload.

        Args:
            directory: the public folder, usually under its temporary name.
            key: private signing key; without it the user's own.
            checks: what ``conform`` returned; it runs now if not given.
            policy: a preset's name or a policy file; the default if not given.
        """
        return certificate.certify_public(
            directory, key=keys.signing_key(key), conformance=checks, rule=rules.resolve(policy)
        )

    def audit_internal(
        self,
        directory: Path,
        *,
        synthetic: "pd.DataFrame | Path",
        members: "pd.DataFrame",
        controls: "pd.DataFrame",
        schema: "Schema",
        split: str = "random",
        control_share: float | None = None,
        synthesizer: str | None = None,
        delta: float | None = None,
        tier: str = "smoke",
        seed: int = 0,
        notes: Sequence[str] = (),
        key: Path | None = None,
        evaluate: bool = False,
    ) -> dossier.Dossier:
        """Attack the release on the custodian's copy and write ``directory/internal``.

        Args:
            directory: the release; its public folder stands and is certified.
            synthetic: the released rows, or the file that holds them.
            members: raw rows that the model learnt from.
            controls: raw rows of the persons who were set aside.
            schema: declared columns, unit and roles.
            split: "random" where members and controls were told apart by an independent coin.
            control_share: chance of that coin, where it is known.
            synthesizer: the kind of synthesizer.
            delta: of the claim; where there is none, bounds on epsilon are stated at the usual one.
            tier: which attacks run, on how many persons: "smoke", "standard" or "full".
            seed: of the audit's own choices.
            notes: sentences on how the tables came about, for the report.
            key: private signing key; without it the user's own.
            evaluate: measure what the release is good for as well, with the controls as the
                holdout; fewer than two of them are none.
        """
        from attacks.audit import audit
        from attacks.lower_bounds import DELTA
        from dpsynth.utility.evaluate import evaluate as measure
        from dpsynth.utility.fidelity import fidelity

        report = audit(
            synthetic,
            members,
            controls,
            schema,
            split=split,
            control_share=control_share,
            synthesizer=synthesizer,
            delta=delta or DELTA,
            tier=tier,
            seed=seed,
            notes=notes,
        )
        measured = fidelity(synthetic, members, schema, seed=seed)
        found = None
        held = [table for table in (synthetic, members, controls) if not isinstance(table, Path)]
        if evaluate and min(map(len, held)) > 1:
            found = measure(synthetic, members, controls, schema, seed=seed).to_dict()
        with atomic.folder(directory / bundle.INTERNAL, mode=bundle.PRIVATE_MODE) as building:
            return dossier.certify_internal(
                building,
                report,
                fidelity=measured,
                evaluation=found,
                key=keys.signing_key(key),
                public=directory / bundle.PUBLIC,
            )

    def report_utility(self, evaluation: Mapping[str, Any], directory: Path) -> None:
        """Write report.html and summary.md of an evaluation; for the custodian alone.

        Args:
            evaluation: the document that ``dpsynth evaluate`` stores as evaluation.json.
            directory: an existing folder that is not public.
        """
        from attacks.report import render_utility

        render_utility(directory, evaluation)
