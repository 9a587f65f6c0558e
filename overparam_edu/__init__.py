"""Implicit acceleration by overparameterization, taught by moving pictures and checked proofs.

Importing the package imports NumPy only; what needs more is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from overparam_edu.dynamics.curl import antisymmetry, curl
from overparam_edu.dynamics.descent import descend, train
from overparam_edu.dynamics.end_to_end import (
    Preconditioner,
    end_to_end_direction,
    preconditioner,
    single_output_direction,
    split_direction,
)
from overparam_edu.dynamics.gradient_flow import gradient_flow
from overparam_edu.dynamics.line_integral import (
    LineIntegral,
    Walk,
    line_integral,
    walk,
    work,
)
from overparam_edu.dynamics.linear_network import (
    LinearNetwork,
    balanced_network,
    identity_network,
    near_zero_network,
)
from overparam_edu.dynamics.losses import (
    LinearLoss,
    Loss,
    LpRegression,
    QuadraticLoss,
    SeparableLp,
)
from overparam_edu.dynamics.optimizers import (
    AdaDelta,
    AdaGrad,
    Adam,
    GradientDescent,
    Momentum,
    Optimizer,
    RMSProp,
)
from overparam_edu.dynamics.trajectory import Trajectory
from overparam_edu.dynamics.tuning import TunedLearningRate, tuned_learning_rate

if TYPE_CHECKING:  # what `__getattr__` loads, spelled out for editors and type checkers
    from overparam_edu import derivations as derivations
    from overparam_edu.classroom.claims import claims as claims
    from overparam_edu.classroom.desk import check as check
    from overparam_edu.classroom.desk import compare as compare
    from overparam_edu.classroom.desk import predict as predict
    from overparam_edu.classroom.progress import progress as progress
    from overparam_edu.classroom.questions import ask as ask
    from overparam_edu.classroom.setup import check_setup as check_setup
    from overparam_edu.derivations.potential import find_potential as find_potential
    from overparam_edu.derivations.symbolic_loss import SymbolicLoss as SymbolicLoss
    from overparam_edu.experiments import datasets as datasets
    from overparam_edu.experiments.convnet import ConvnetTraining as ConvnetTraining
    from overparam_edu.experiments.convnet import convnet_parameter_count as convnet_parameter_count
    from overparam_edu.experiments.convnet_runs import recorded_convnet as recorded_convnet
    from overparam_edu.experiments.convnet_runs import run_convnets as run_convnets
    from overparam_edu.experiments.convnet_runs import train_convnet as train_convnet
    from overparam_edu.experiments.datasets import load_auto_mpg as load_auto_mpg
    from overparam_edu.experiments.depth_race import race_depths as race_depths
    from overparam_edu.experiments.digits import load_digits as load_digits
    from overparam_edu.experiments.gas_sensors import DataUnavailableError as DataUnavailableError
    from overparam_edu.experiments.gas_sensors import load_gas_ethanol as load_gas_ethanol
    from overparam_edu.experiments.gas_sensors import load_regression_data as load_regression_data
    from overparam_edu.experiments.rule_against_network import (
        compare_rule_with_network as compare_rule_with_network,
    )
    from overparam_edu.experiments.rule_against_network import (
        measure_distance_order as measure_distance_order,
    )
    from overparam_edu.experiments.rule_against_network import rebalance as rebalance
    from overparam_edu.experiments.rule_against_network import (
        synthetic_regression as synthetic_regression,
    )
    from overparam_edu.experiments.rule_against_network import (
        turn_hidden_layers as turn_hidden_layers,
    )
    from overparam_edu.views.convnet import explore_convnet as explore_convnet
    from overparam_edu.views.convnet import plot_convnet as plot_convnet
    from overparam_edu.views.export import save_html as save_html
    from overparam_edu.views.figures import plot_losses as plot_losses
    from overparam_edu.views.figures import plot_trajectories as plot_trajectories
    from overparam_edu.views.figures import plot_tuning as plot_tuning
    from overparam_edu.views.going_deeper import explore_going_deeper as explore_going_deeper
    from overparam_edu.views.line_integral import explore_line_integral as explore_line_integral
    from overparam_edu.views.own_loss import explore_own_loss as explore_own_loss
    from overparam_edu.views.pages import build_pages as build_pages
    from overparam_edu.views.pictures import save_gif as save_gif
    from overparam_edu.views.pictures import save_png as save_png
    from overparam_edu.views.preconditioner import explore_preconditioner as explore_preconditioner
    from overparam_edu.views.regression import explore_regression as explore_regression
    from overparam_edu.views.stepper import explore_derivation as explore_derivation
    from overparam_edu.views.trajectories import explore_trajectories as explore_trajectories
    from overparam_edu.views.update_rule import explore_update_rule as explore_update_rule
    from overparam_edu.views.warm_up import explore_warm_up as explore_warm_up

# Public names outside dynamics, and the module of each; a module's own name stands for itself.
_ON_FIRST_USE = {
    "ConvnetTraining": "overparam_edu.experiments.convnet",
    "DataUnavailableError": "overparam_edu.experiments.gas_sensors",
    "SymbolicLoss": "overparam_edu.derivations.symbolic_loss",
    "ask": "overparam_edu.classroom.questions",
    "build_pages": "overparam_edu.views.pages",
    "check": "overparam_edu.classroom.desk",
    "check_setup": "overparam_edu.classroom.setup",
    "claims": "overparam_edu.classroom.claims",
    "compare": "overparam_edu.classroom.desk",
    "compare_rule_with_network": "overparam_edu.experiments.rule_against_network",
    "convnet_parameter_count": "overparam_edu.experiments.convnet",
    "datasets": "overparam_edu.experiments.datasets",
    "derivations": "overparam_edu.derivations",
    "explore_convnet": "overparam_edu.views.convnet",
    "explore_derivation": "overparam_edu.views.stepper",
    "explore_going_deeper": "overparam_edu.views.going_deeper",
    "explore_line_integral": "overparam_edu.views.line_integral",
    "explore_own_loss": "overparam_edu.views.own_loss",
    "explore_preconditioner": "overparam_edu.views.preconditioner",
    "explore_regression": "overparam_edu.views.regression",
    "explore_trajectories": "overparam_edu.views.trajectories",
    "explore_update_rule": "overparam_edu.views.update_rule",
    "explore_warm_up": "overparam_edu.views.warm_up",
    "find_potential": "overparam_edu.derivations.potential",
    "load_auto_mpg": "overparam_edu.experiments.datasets",
    "load_digits": "overparam_edu.experiments.digits",
    "load_gas_ethanol": "overparam_edu.experiments.gas_sensors",
    "load_regression_data": "overparam_edu.experiments.gas_sensors",
    "measure_distance_order": "overparam_edu.experiments.rule_against_network",
    "plot_convnet": "overparam_edu.views.convnet",
    "plot_losses": "overparam_edu.views.figures",
    "plot_trajectories": "overparam_edu.views.figures",
    "plot_tuning": "overparam_edu.views.figures",
    "predict": "overparam_edu.classroom.desk",
    "progress": "overparam_edu.classroom.progress",
    "race_depths": "overparam_edu.experiments.depth_race",
    "rebalance": "overparam_edu.experiments.rule_against_network",
    "recorded_convnet": "overparam_edu.experiments.convnet_runs",
    "run_convnets": "overparam_edu.experiments.convnet_runs",
    "save_gif": "overparam_edu.views.pictures",
    "save_html": "overparam_edu.views.export",
    "save_png": "overparam_edu.views.pictures",
    "synthetic_regression": "overparam_edu.experiments.rule_against_network",
    "train_convnet": "overparam_edu.experiments.convnet_runs",
    "turn_hidden_layers": "overparam_edu.experiments.rule_against_network",
}

__all__ = [
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "ConvnetTraining",
    "DataUnavailableError",
    "GradientDescent",
    "LineIntegral",
    "LinearLoss",
    "LinearNetwork",
    "Loss",
    "LpRegression",
    "Momentum",
    "Optimizer",
    "Preconditioner",
    "QuadraticLoss",
    "RMSProp",
    "SeparableLp",
    "SymbolicLoss",
    "Trajectory",
    "TunedLearningRate",
    "Walk",
    "antisymmetry",
    "ask",
    "balanced_network",
    "build_pages",
    "check",
    "check_setup",
    "claims",
    "compare",
    "compare_rule_with_network",
    "convnet_parameter_count",
    "curl",
    "datasets",
    "derivations",
    "descend",
    "end_to_end_direction",
    "explore_convnet",
    "explore_derivation",
    "explore_going_deeper",
    "explore_line_integral",
    "explore_own_loss",
    "explore_preconditioner",
    "explore_regression",
    "explore_trajectories",
    "explore_update_rule",
    "explore_warm_up",
    "find_potential",
    "gradient_flow",
    "identity_network",
    "line_integral",
    "load_auto_mpg",
    "load_digits",
    "load_gas_ethanol",
    "load_regression_data",
    "measure_distance_order",
    "near_zero_network",
    "plot_convnet",
    "plot_losses",
    "plot_trajectories",
    "plot_tuning",
    "preconditioner",
    "predict",
    "progress",
    "race_depths",
    "rebalance",
    "recorded_convnet",
    "run_convnets",
    "save_gif",
    "save_html",
    "save_png",
    "single_output_direction",
    "split_direction",
    "synthetic_regression",
    "train",
    "train_convnet",
    "tuned_learning_rate",
    "turn_hidden_layers",
    "walk",
    "work",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("overparam-edu")
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_ON_FIRST_USE[name])
    itself = (module,) if module.__name__.endswith(f".{name}") else ()
    value = getattr(module, name, *itself)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
