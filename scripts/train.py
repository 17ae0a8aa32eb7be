"""Train an agent: `python scripts/train.py --env tutor-v0`."""

import sys

from curiosity_rl.agents.cli import train_main

if __name__ == "__main__":
    sys.exit(train_main())
