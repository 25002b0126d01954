"""What each family of attacks asks, in the officer's words: what it shows, and what it does not.

The three headings of the Article 29 Working Party (Opinion 05/2014) come first, then membership,
then what can be seen without an attacker's art: copies and identity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attacks.report.wording import clean, humanize, mapping


@dataclass(frozen=True, kw_only=True)
class Family:
    """A heading of the report, and the words under it.

    Args:
        key: short name, used for ids.
        heading: of the section.
        question: what the attacker wants to know.
        shows: what a difference between members and controls means.
        silent: what the family does not show.
        wp29: whether it is one of the three headings of Opinion 05/2014.
    """

    key: str
    heading: str
    question: str
    shows: str
    silent: str
    wp29: bool = False


SINGLING_OUT = Family(
    key="singling-out",
    heading="Singling out",
    question="Can the release point at exactly one person?",
    shows="The attacker reads a condition off the release, such as an age together with a "
    "diagnosis, and hopes that exactly one real person meets it. Where that works more often on "
    "members than on controls, the release describes its members one by one.",
    silent="A narrow condition meets exactly one person by chance, too: how often is what the "
    "controls show. Singled out does not mean named, and a release that singles out nobody may "
    "still tell who was in it.",
    wp29=True,
)
LINKABILITY = Family(
    key="linkability",
    heading="Linkability",
    question="Can two records of one person be joined through the release?",
    shows="The attacker holds one half of a person's columns in one file and the other half in "
    "another, and uses the release to say which belong together. Where that works more often on "
    "members, the release keeps whole persons together.",
    silent="Columns that go together in everybody, such as weight and height, join records of "
    "controls as well; that is not counted as a leak. Other ways to cut the columns in two may "
    "work better.",
    wp29=True,
)
INFERENCE = Family(
    key="inference",
    heading="Inference",
    question="What does the release let somebody guess about a person?",
    shows="The attacker knows some columns of a person and guesses a sensitive one with the "
    "release's help. Where guesses are right more often on members than on controls, the release "
    "gave away something about these persons and not only about people like them.",
    silent="A guess that is right as often on controls as on members is statistics: it would work "
    "on people who were never in the table, and it is not a leak, however often it is right. "
    "Whether such guesses may be made is a question of use, not of this release.",
    wp29=True,
)
MEMBERSHIP = Family(
    key="membership",
    heading="Membership",
    question="Can somebody tell that a person was in the table?",
    shows="The attacker holds a person's record and says whether it was in the table. That alone "
    "can be the secret, as in a register of one illness, and an attacker who cannot tell this "
    "can hardly tell more. It is the most sensitive test of all, and the one that epsilon bounds.",
    silent="It says nothing about what could be learned of a person beside having been there. An "
    "attacker who can run the generator, or knows who else was in the table, may do better.",
)
IDENTITY = Family(
    key="identity",
    heading="Copies and identity",
    question="Does a real person's record stand in the release?",
    shows="Records that only one person has are looked up in the release, and real rows are "
    "matched with released ones. A record that stands in the release word for word was hardly "
    "invented; the controls show how often chance does it.",
    silent="In a narrow table, with few columns of few values, chance repeats many records. A "
    "release without any copy may still tell a lot.",
)
OTHER = Family(
    key="other",
    heading="Other attacks",
    question="What else was tried?",
    shows="A difference between members and controls means that the release says more about its "
    "members than about others.",
    silent="What these attacks cannot do, another attack may.",
)
FAMILIES = (SINGLING_OUT, LINKABILITY, INFERENCE, MEMBERSHIP, IDENTITY, OTHER)

_BY_GOAL = {
    "SINGLING_OUT": SINGLING_OUT,
    "LINKAGE": LINKABILITY,
    "ATTRIBUTE": INFERENCE,
    "MEMBERSHIP": MEMBERSHIP,
    "IDENTITY": IDENTITY,
}
_BY_PREFIX = {
    "singling out": SINGLING_OUT,
    "linkage": LINKABILITY,
    "attribute": INFERENCE,
    "membership": MEMBERSHIP,
    "identity": IDENTITY,
    "scan": IDENTITY,
}


def family_of(result: Mapping[str, Any]) -> Family:
    """Return the family of a stored result, by its name or else by its goal."""
    prefix = humanize(clean(result.get("name", "")).partition("/")[0]).lower()
    goal = result.get("goal") or mapping(result.get("threat_model")).get("goal")
    return _BY_PREFIX.get(prefix) or _BY_GOAL.get(str(goal), OTHER)
