"""The exercises of every notebook, as declarations."""

from overparam_edu.classroom.exercise import Exercise
from overparam_edu.classroom.exercises import (
    after_the_paper,
    beyond_regularization,
    convolutional_network,
    end_to_end_rule,
    going_deeper,
    illustration,
    lp_regression,
    preconditioning,
    start_here,
    warm_up,
    where_depth_ends,
    your_own_loss,
)

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for module in (
        start_here,
        warm_up,
        end_to_end_rule,
        preconditioning,
        beyond_regularization,
        illustration,
        lp_regression,
        going_deeper,
        convolutional_network,
        your_own_loss,
        after_the_paper,
        where_depth_ends,
    )
    for exercise in module.EXERCISES
}
