"""`python -m overparam_edu.cli`, for where the script is not on the path."""

import sys

from overparam_edu.cli import main

sys.exit(main())
