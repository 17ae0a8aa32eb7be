"""Show all runs in a browser: `python scripts/dashboard.py --logdir runs`."""

import sys

from curiosity_rl.agents.cli import dashboard_main

if __name__ == "__main__":
    sys.exit(dashboard_main())
