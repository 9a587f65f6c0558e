"""What `make test` leaves to `make test-all`; and nobody's progress is touched by a test.

Kernels that tests start inherit the environment.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from typing import Any

import pytest

os.environ["OVERPARAM_EDU_PROGRESS"] = os.devnull
# A grammar of addresses, which takes three quarters of the time in which nbformat is imported.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# What is started in the background may not hear of an interrupt, and tests of endless answers would
# be endless.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # until all tests are collected: no rubbish, and much to look through

BROWSER = "tests/browser/test_"
# Files that share what takes long: a JupyterLab to start and load, and explorers' computations.
IN_LAB = ("explorers", "handles", "notebooks", "player", "states")
TOGETHER = {f"{BROWSER}{name}.py": "JupyterLab" for name in IN_LAB}
TOGETHER |= {
    f"tests/{name}.py": "settings" for name in ("explorers/test_states", "player/test_position")
}
SHOWN = "^04_.*-lab"
# How the ids of tests begin that are thorough, and a pattern of the cases of each that `make test`
# keeps all the same; None where others stand for it, which are named behind it.
THOROUGH = {
    # In JupyterLab and live; nbclient runs each lesson in `make test`.
    f"{BROWSER}notebooks.py::test_it_runs": SHOWN,
    f"{BROWSER}notebooks.py::test_each_slider": SHOWN,
    f"{BROWSER}notebooks.py::test_every_control": SHOWN,
    f"{BROWSER}notebooks.py::test_play": SHOWN,
    f"{BROWSER}notebooks.py::test_feedback": "lab",
    # Their site takes a minute to build; tests/publish/test_live.py has its parts.
    f"{BROWSER}notebooks.py::test_live": None,
    f"{BROWSER}front_ends.py::test_notebook_7": None,
    f"{BROWSER}front_ends.py::test_a_picture_comes": None,  # player.py::test_silent_kernel
    # It fetches three packages of npm's.
    f"{BROWSER}front_ends.py::test_the_widget_manager": None,
    f"{BROWSER}themes.py::test_lab_is_dark": None,  # test_pictures_boards_and_questions_are_dark
    f"{BROWSER}states.py::test_random_states": None,  # tests/explorers/test_states.py
    f"{BROWSER}states.py::test_dragging": None,  # test_no_move_is_lost_while_a_picture_is_under_way
    f"{BROWSER}states.py::test_no_move_of": None,
    f"{BROWSER}states.py::test_no_move_is": "300ms",
    f"{BROWSER}states.py::test_what_is_seen_is_true": None,  # test_any_error, test_interrupt
    f"{BROWSER}states.py::test_a_silent_kernel": "stopped",
    f"{BROWSER}states.py::test_a_kernel_that_is_killed": None,  # player.py::test_a_lost_kernel
    f"{BROWSER}explorers.py::test_a_typed_loss": None,
    f"{BROWSER}explorers.py::test_without_webgl": None,
    f"{BROWSER}explorers.py::test_depth_and_walk": None,  # test_depth_and_iteration
    f"{BROWSER}explorers.py::test_a_picture_in_space": None,  # test_in_space_the_walk
    f"{BROWSER}player.py::test_several_tabs": None,  # tests/player/test_position.py
    f"{BROWSER}present.py::test_no_move": None,
    f"{BROWSER}present.py::test_a_lecturer_draws": None,  # sketch.py
    f"{BROWSER}present.py::test_a_damaged_bookmark": None,  # test_a_bookmark
    f"{BROWSER}present.py::test_what_follows_reset": None,  # tests/player/test_position.py
    f"{BROWSER}present.py::test_a_plan_has_a_clock": None,  # it runs a plan
    f"{BROWSER}present.py::test_twenty_loads": None,  # test_each_screen_is_found_again
    f"{BROWSER}present.py::test_without_its_server": None,  # ..._without_its_kernel
    f"{BROWSER}pages.py::test_every_page": "375-dark",
    f"{BROWSER}pages.py::test_one_picture_fits": "800|390",
    f"{BROWSER}pages.py::test_with_reduced_motion": None,
    f"{BROWSER}questions.py::test_choosing": "phone",
    f"{BROWSER}questions.py::test_it_is_as_accessible": "dark",
    f"{BROWSER}questions.py::test_lab_hears": None,  # test_a_page_keeps_the_choice
    f"{BROWSER}sketch.py::test_a_curve_is_drawn": "phone",
    f"{BROWSER}sketch.py::test_a_finger": None,  # test_a_curve_is_drawn[phone]
    f"{BROWSER}sketch.py::test_how_far_off": None,  # test_a_curve_is_drawn
    f"{BROWSER}sketch.py::test_a_wait_is_set": "laptop",
    f"{BROWSER}sketch.py::test_lab_keeps": None,  # test_a_page_keeps_the_guess
    f"{BROWSER}light.py::test_a_word": "mouse",
    f"{BROWSER}formulas.py::test_every_formula": "chromium-dark|firefox-light",
    f"{BROWSER}formulas.py::test_firefox_draws_a_lesson": None,  # ..._the_first_picture_of_a_page
    # The explorers with most in them, as they open.
    f"{BROWSER}layout.py::test_all_is_seen": r"^trajectories-\w+\]|^line_integral-p",
    f"{BROWSER}layout.py::test_every_explorer_is": None,  # pages.py::test_every_page
    # The longest searches for a wrong answer that passes; the other exercises stay.
    "tests/classroom/test_mutants.py::test_no_wrong": "^(?!only_at_two|potential_at_two|gain_in)",
    "tests/classroom/test_mutants.py::test_no_mutant_is": "^(?!layerwise_rule|amplifications)",
    # Proofs with the most terms to spoil.
    "tests/derivations/test_derivations.py::test_every_broken_step": "^(?!end_to_end|weight_decay"
    "|preconditioning|warm_up|theorem_2|near_minimum|beyond_regularization|mirror_flow)",
    "tests/derivations/test_derivations.py::test_other_depths": "^(?!end_to_end_rule-5)",
    # Each depth is looked at round its chosen rate by test_the_loss_falls.
    "tests/dynamics/test_tuning.py::test_every_rate": "^[03]",
    "tests/classroom/test_notebooks.py::test_run_all_in": None,  # ..._untouched; and ours, as pages
    "tests/explorers/test_regression.py::test_every_setting": "^(?!.*AdaGrad)",
    "tests/explorers/test_update_rule.py::test_from_rank_one": "^[24]",
    "tests/explorers/test_states.py::test_random_states": "^(?!explore_(trajectories|update_rule))",
    "tests/explorers/test_states.py::test_corners": "^(?!.*(deeper|trajectories|update))",
    "tests/explorers/test_states.py::test_each_end": "^(?!explore_regression)",
    "tests/explorers/test_states.py::test_every_option": "^(?!explore_trajectories)",
    "tests/test_security.py::test_nothing_listens": "lab",
    "tests/test_security.py::test_nobody_gets_in": "lab",  # present.py::test_only_who_has_the_token
    "tests/player/test_pictures.py::test_a_proof_is": None,  # test_vectors_hold_sentence_table
    "tests/player/test_position.py::test_no_control": "^(?!explore_regression)",
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
    named = [(item.nodeid, item) for item in items]
    whole = {name.partition("::")[0] for name, _ in named}
    if getattr(config.option, "lf", False) or any("::" in argument for argument in config.args):
        whole.clear()
    for test, kept in THOROUGH.items():
        found = [pair for pair in named if pair[0].startswith(test)]
        out = [
            item
            for name, item in found
            if kept is None or not re.search(kept, name.partition("[")[2])
        ]
        for item in out:
            item.add_marker("thorough")
        if test.partition("::")[0] in whole and not 0 < len(out) < len(found) + (kept is None):
            raise pytest.UsageError(f"conftest.py: {test} leaves out {len(out)} of {len(found)}")


def pytest_collection_finish() -> None:
    """Look for rubbish again, but not among what was collected."""
    gc.enable()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one worker, and files that share something to the same one.

    The first worker begins with browsers, for which it often waits, and the others with the rest.
    """
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return TOGETHER.get(file, file)

        def _assign_work_unit(self, node: Any) -> None:
            first = node is self.nodes[0]
            for file, tests in self.workqueue.items():
                if next(iter(tests)).startswith(BROWSER) == first:
                    self.workqueue.move_to_end(file, last=False)
                    break
            super()._assign_work_unit(node)

    return Together(config, log) if config.getvalue("dist") == "loadfile" else None
