"""What is logged while a fit is watched."""

import logging

# A session of Spark in this process speaks of its own garbage, at whatever time that is collected.
_OTHERS = ("py4j", "pyspark")


class Lines(logging.Handler):
    """Keeps what is logged, but for what other systems say that no fit of made-up rows uses.

    Attributes:
        held: a line each: logger, level and message.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.held: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        if record.name.partition(".")[0] not in _OTHERS:
            self.held.append(f"{record.name} {record.levelname} {record.getMessage()}")
