"""What `make test` leaves to `make test-all`; and nobody's progress is touched by a test.

Kernels that tests start inherit the environment.
"""

from __future__ import annotations

import os
import re
import sys

import pytest

os.environ["OVERPARAM_EDU_PROGRESS"] = os.devnull
# A grammar of addresses, which takes three quarters of the time in which nbformat is imported.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

BROWSER = "tests/browser/test_"
# How the ids of tests begin that are thorough, and a pattern of the cases of each that `make test`
# keeps all the same; None where others stand for it, which are named behind it.
THOROUGH = {
    # A lesson in JupyterLab takes half a minute; nbclient runs each of them in `make test`.
    f"{BROWSER}notebooks.py::test_it_runs": "00_|04_",
    f"{BROWSER}notebooks.py::test_each_slider": "00_|04_",
    f"{BROWSER}notebooks.py::test_every_control": "00_|04_",
    f"{BROWSER}notebooks.py::test_play": "00_|04_",
    f"{BROWSER}states.py::test_random_states": "own_loss|update_rule",
    f"{BROWSER}states.py::test_dragging": "line_integral",
    f"{BROWSER}states.py::test_no_move": "300ms",
    f"{BROWSER}states.py::test_what_is_seen_is_true": "^0",
    f"{BROWSER}states.py::test_a_silent_kernel": "stopped|cut",
    f"{BROWSER}present.py::test_no_move": "300ms",
    f"{BROWSER}present.py::test_without_its_server": None,  # ..._without_its_kernel
    f"{BROWSER}present.py::test_twenty_loads": None,  # test_each_screen_is_found_again
    f"{BROWSER}formulas.py::test_every_formula": "chromium-light|firefox-dark",
    f"{BROWSER}formulas.py::test_firefox_draws_a_lesson": None,  # ..._the_first_picture_of_a_page
    # An explorer as it opens, but for the projector.
    f"{BROWSER}layout.py::test_all_is_seen": r"^\w+-(laptop|phone)",
    # The longest searches for a wrong answer that passes; the other exercises stay.
    "tests/classroom/test_mutants.py::test_no_wrong": "^(?!only_at_two|potential_at_two|gain_in)",
    "tests/classroom/test_mutants.py::test_no_mutant_is": "^(?!layerwise_rule|amplifications)",
    # Proofs with the most terms to spoil.
    "tests/derivations/test_derivations.py::test_every_broken_step": "^(?!end_to_end|weight_decay)",
    "tests/derivations/test_derivations.py::test_other_depths": "^(?!end_to_end_rule-5)",
    "tests/explorers/test_states.py::test_random_states": "^(?!explore_trajectories)",
    "tests/explorers/test_states.py::test_corners": "^(?!explore_going_deeper)",
    # It installs the wheel and what it needs, and runs every lesson.
    "tests/test_core.py::test_": None,  # test_packaging.py::test_each_file_imports
    # Each runs a lecture of several lessons.
    "tests/publish/test_plans.py::test_a_deck_runs": None,  # test_a_deck_shows_its_sections
    # It installs nbgrader; what its notebooks hold is tested without.
    "tests/test_assign.py::test_nbgrader": None,  # test_each_exercise_is_whole_and_worth_one_point
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is thorough; a line that leaves nothing out, or keeps nothing, is an error."""
    whole = {item.nodeid.partition("::")[0] for item in items}
    if getattr(config.option, "lf", False) or any("::" in argument for argument in config.args):
        whole.clear()
    for test, kept in THOROUGH.items():
        found = [item for item in items if item.nodeid.startswith(test)]
        out = [
            item
            for item in found
            if kept is None or not re.search(kept, item.nodeid.partition("[")[2])
        ]
        for item in out:
            item.add_marker("thorough")
        if test.partition("::")[0] in whole and not 0 < len(out) < len(found) + (kept is None):
            raise pytest.UsageError(f"conftest.py: {test} leaves out {len(out)} of {len(found)}")
