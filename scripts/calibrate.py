"""Make a population of students: `python scripts/calibrate.py LOG.csv --out FILE`."""

import sys

from curiosity_rl.agents.cli import calibrate_main

if __name__ == "__main__":
    sys.exit(calibrate_main())
