"""The distinguishing game: can two neighboring worlds be told apart more surely than is claimed?"""

from attacks.conformance.game.result import GameResult, judged

__all__ = ["GameResult", "judged"]
