"""Implicit acceleration by overparameterization, taught by moving pictures and checked proofs.

Importing the package imports NumPy only; what needs more is loaded on first use.
"""

from __future__ import annotations

from overparam_edu.dynamics.descent import descend, train
from overparam_edu.dynamics.end_to_end import (
    Preconditioner,
    end_to_end_direction,
    preconditioner,
    single_output_direction,
    split_direction,
)
from overparam_edu.dynamics.gradient_flow import gradient_flow
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
