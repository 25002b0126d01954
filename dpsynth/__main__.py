"""``python -m dpsynth``: the same program as ``dpsynth``."""

import sys

from dpsynth.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
