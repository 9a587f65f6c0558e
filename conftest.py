"""What the tests do to a student's progress goes nowhere; kernels that they start inherit this."""

from __future__ import annotations

import os

os.environ["OVERPARAM_EDU_PROGRESS"] = os.devnull
