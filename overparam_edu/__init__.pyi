"""The public names: each stands here once, and is loaded on first use."""

from . import derivations as derivations
from .classroom.checking import (
    ask as ask,
    check as check,
    compare as compare,
    predict as predict,
)
from .classroom.claims import claims as claims
from .classroom.progress import progress as progress
from .classroom.setup import check_setup as check_setup
from .derivations.own_loss import SymbolicLoss as SymbolicLoss
from .derivations.potential import find_potential as find_potential
from .dynamics.curl import antisymmetry as antisymmetry, curl as curl
from .dynamics.loops import (
    LineIntegral as LineIntegral,
    Walk as Walk,
    line_integral as line_integral,
    walk as walk,
    work as work,
)
from .dynamics.losses import (
    LinearLoss as LinearLoss,
    Loss as Loss,
    LpRegression as LpRegression,
    QuadraticLoss as QuadraticLoss,
    SeparableLp as SeparableLp,
)
from .dynamics.mirror_flow import (
    bregman_divergence as bregman_divergence,
    flow_limit as flow_limit,
    mirror_map as mirror_map,
)
from .dynamics.near_minimum import (
    best_depth as best_depth,
    condition_near as condition_near,
    curvatures_near as curvatures_near,
)
from .dynamics.networks import (
    LinearNetwork as LinearNetwork,
    balanced_network as balanced_network,
    identity_network as identity_network,
    near_zero_network as near_zero_network,
)
from .dynamics.optimizers import (
    AdaDelta as AdaDelta,
    AdaGrad as AdaGrad,
    Adam as Adam,
    GradientDescent as GradientDescent,
    Momentum as Momentum,
    Optimizer as Optimizer,
    RMSProp as RMSProp,
)
from .dynamics.random_start import (
    expected_square as expected_square,
    typical_square as typical_square,
)
from .dynamics.rule import (
    Preconditioner as Preconditioner,
    end_to_end_direction as end_to_end_direction,
    preconditioner as preconditioner,
    single_output_direction as single_output_direction,
    split_direction as split_direction,
)
from .dynamics.singular_values import learning_time as learning_time
from .dynamics.training import (
    Trajectory as Trajectory,
    descend as descend,
    gradient_flow as gradient_flow,
    train as train,
)
from .dynamics.tuning import (
    TunedLearningRate as TunedLearningRate,
    tuned_learning_rate as tuned_learning_rate,
)
from .dynamics.unbalanced import (
    flow_unbalanced as flow_unbalanced,
    unbalanced_direction as unbalanced_direction,
    unbalanced_network as unbalanced_network,
)
from .dynamics.warm_up import (
    WarmUpCoefficients as WarmUpCoefficients,
    WarmUpRun as WarmUpRun,
    rebuild_from_gradients as rebuild_from_gradients,
    run_warm_up as run_warm_up,
    warm_up_coefficients as warm_up_coefficients,
)
from .experiments import datasets as datasets
from .experiments.compare import (
    best_curve as best_curve,
    overtaking_step as overtaking_step,
    steps_to_level as steps_to_level,
)
from .experiments.convnet import (
    ConvnetTraining as ConvnetTraining,
    convnet_parameter_count as convnet_parameter_count,
    recorded_convnet as recorded_convnet,
    run_convnets as run_convnets,
    split_digits as split_digits,
    train_convnet as train_convnet,
)
from .experiments.curves import learning_curves as learning_curves
from .experiments.datasets import (
    DataUnavailableError as DataUnavailableError,
    load_auto_mpg as load_auto_mpg,
    load_digits as load_digits,
    load_gas_ethanol as load_gas_ethanol,
    load_mnist as load_mnist,
    load_regression_data as load_regression_data,
    two_feature_loss as two_feature_loss,
)
from .experiments.deeper import (
    compare_starts as compare_starts,
    first_move as first_move,
    going_deeper as going_deeper,
)
from .experiments.depth_race import race_depths as race_depths
from .experiments.records import load_record as load_record
from .experiments.replication import one_change_at_a_time as one_change_at_a_time
from .experiments.rule_against_network import (
    compare_rule_with_network as compare_rule_with_network,
    measure_distance_order as measure_distance_order,
    rebalance as rebalance,
    synthetic_regression as synthetic_regression,
    turn_hidden_layers as turn_hidden_layers,
)
from .explorers.convnet import explore_convnet as explore_convnet, plot_convnet as plot_convnet
from .explorers.derivation import explore_derivation as explore_derivation
from .explorers.going_deeper import explore_going_deeper as explore_going_deeper
from .explorers.limit import explore_limit as explore_limit
from .explorers.line_integral import explore_line_integral as explore_line_integral
from .explorers.near_minimum import explore_near_minimum as explore_near_minimum
from .explorers.own_loss import explore_own_loss as explore_own_loss
from .explorers.plots import (
    plot_learning_curves as plot_learning_curves,
    plot_losses as plot_losses,
    plot_trajectories as plot_trajectories,
    plot_tuning as plot_tuning,
)
from .explorers.preconditioner import explore_preconditioner as explore_preconditioner
from .explorers.random_start import explore_random_start as explore_random_start
from .explorers.regression import explore_regression as explore_regression
from .explorers.singular_values import explore_singular_values as explore_singular_values
from .explorers.trajectories import explore_trajectories as explore_trajectories
from .explorers.unbalanced import explore_unbalanced as explore_unbalanced
from .explorers.update_rule import explore_update_rule as explore_update_rule
from .explorers.warm_up import explore_warm_up as explore_warm_up
from .player.pictures import save as save
from .publish.pages import build_pages as build_pages

__version__: str
