"""Evaluate a finished run again: `python scripts/evaluate.py RUN`."""

import sys

from curiosity_rl.agents.cli import evaluate_main

if __name__ == "__main__":
    sys.exit(evaluate_main())
