"""What a certificate does not say, in words for the person who signs."""

from collections.abc import Mapping
from typing import Any

LIMITATIONS = (
    (
        "The guarantee bounds what anyone can learn from this release about one privacy unit. True "
        "facts about groups do not become secret, even where they help to guess about a person."
    ),
    (
        "It holds for the declared unit with at most the declared number of rows. Where one person "
        "fills more rows, the surplus is dropped; a person under several names is protected as "
        "several."
    ),
    (
        "It assumes that the schema was written without looking at the rows; whoever declared a "
        "value public answers for that."
    ),
    (
        "It assumes that the decision to publish did not depend on anything computed from the real "
        "rows outside the mechanism, such as utility figures or attacks."
    ),
    (
        "It assumes that every release about these persons used this ledger and that the ledger "
        "was not rolled back; releases recorded elsewhere are not counted."
    ),
    (
        "It assumes an unmodified dpsynth, a sound random source of the operating system, and a "
        "custodian who can be trusted with the rows."
    ),
    (
        "Timing, memory use and other side channels of the machine that ran the release are not "
        "covered."
    ),
    (
        "Checks on artificial rows can find a fault but cannot prove that there is none; each "
        "states how small a fault it could have seen."
    ),
    "The checks and attacks are those known at the date of this certificate.",
    (
        "Whether the rows suit a given analysis is not judged here, and rare groups may be "
        "represented badly."
    ),
    "A signature shows which key signed these bytes, not that the signer is honest or competent.",
)

TRAINING = (
    "The noise of the training is added in floating point: that its last digits tell nothing is "
    "not proven. Its claim is a numerical sum, with slack for rounding."
)


def limitations_of(claim: Mapping[str, Any]) -> list[str]:
    """Return what a certificate of ``claim`` does not say: by what it rests on, and its prior."""
    prior = dict(claim["synthesizer"]["settings"]).get("prior")
    said = [*LIMITATIONS, *([TRAINING] if "order" in claim else [])]
    if not isinstance(prior, Mapping):
        return said
    return [
        *said,
        "The model leans on a public prior, in which nothing is protected. That it holds no "
        "private row is a statement of whoever made the release, who names as its source: "
        f"{prior.get('source')}",
    ]
