"""The talk's proofs as data: every line typeset, every line checked.

Each function returns a `Derivation`, a list of `Step`s; ``.verify()`` checks every one of them.
"""

from overparam_edu.derivations.beyond_regularization import beyond_regularization
from overparam_edu.derivations.checker import Derivation, Report, StepReport, check_step
from overparam_edu.derivations.end_to_end_rule import end_to_end_rule
from overparam_edu.derivations.illustration import illustration, tuned_gain
from overparam_edu.derivations.mirror_flow import mirror_flow
from overparam_edu.derivations.near_minimum import near_minimum
from overparam_edu.derivations.own_loss import SymbolicLoss
from overparam_edu.derivations.potential import Certificate, Potential, find_potential
from overparam_edu.derivations.preconditioning import preconditioning, single_output
from overparam_edu.derivations.random_start import random_start
from overparam_edu.derivations.singular_values import singular_values
from overparam_edu.derivations.steps import Setting, Step
from overparam_edu.derivations.theorem_2 import theorem_2_by_criterion, theorem_2_by_line_integral
from overparam_edu.derivations.unbalanced import unbalanced
from overparam_edu.derivations.warm_up import warm_up
from overparam_edu.dynamics.warm_up import (
    WarmUpCoefficients,
    rebuild_from_gradients,
    warm_up_coefficients,
)

__all__ = [
    "Certificate",
    "Derivation",
    "Potential",
    "Report",
    "Setting",
    "Step",
    "StepReport",
    "SymbolicLoss",
    "WarmUpCoefficients",
    "beyond_regularization",
    "check_step",
    "end_to_end_rule",
    "find_potential",
    "illustration",
    "mirror_flow",
    "near_minimum",
    "preconditioning",
    "random_start",
    "rebuild_from_gradients",
    "single_output",
    "singular_values",
    "theorem_2_by_criterion",
    "theorem_2_by_line_integral",
    "tuned_gain",
    "unbalanced",
    "warm_up",
    "warm_up_coefficients",
]
