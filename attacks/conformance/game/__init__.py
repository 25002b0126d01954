"""The distinguishing game: can two neighboring worlds be told apart more surely than is claimed?"""

from attacks.conformance.game.play import audit, games, played
from attacks.conformance.game.result import GameResult, judged, status_of

__all__ = ["GameResult", "audit", "games", "judged", "played", "status_of"]
