"""The exercise of notebook 00: what a deep linear network computes."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, close

_RNG = np.random.default_rng(1)
_LAYERS = tuple(_RNG.standard_normal((3, 3, 3)))
_NARROW = (_RNG.standard_normal((2, 4)), _RNG.standard_normal((3, 2)))


def _product(layers: Any) -> Any:
    W = layers[0]
    for V in layers[1:]:
        W = V @ W
    return W


_END_TO_END = Exercise(
    name="product_of_layers",
    notebook="00",
    kind="write",
    title="What a deep linear network computes",
    prompt=(
        r"`layers` holds $W_1, W_2, \dots, W_N$ in this order; $W_1$ acts on the input first. "
        r"Return the one matrix $W$ for which $Wx$ is the output of the whole network, for every "
        r"$x$."
    ),
    todo="a loop of two lines will do",
    solution=(
        "def product_of_layers(layers):\n    W = layers[0]\n    for V in layers[1:]:\n"
        "        W = V @ W\n    return W"
    ),
    properties={
        "three square layers, one after the other, do to $x$ what $W$ does": lambda f: close(
            f(_LAYERS), _product(_LAYERS)
        ),
        "one layer is its own product": lambda f: close(f(_LAYERS[:1]), _LAYERS[0]),
        "layers of shapes (2, 4) and (3, 2) make a matrix of shape (3, 4)": lambda f: close(
            f(_NARROW), _NARROW[1] @ _NARROW[0]
        ),
    },
    mistakes={
        "The order: $W_2 W_1 x$ means that $W_1$ acts **first**, "
        "so it stands on the right.": lambda L: L[0] @ L[1] @ L[2],
        "`*` multiplies entry by entry. The product of matrices is `@`.": lambda L: (
            L[0] * L[1] * L[2]
        ),
        "Layers act one after the other: their matrices are multiplied, not added.": lambda L: (
            L[0] + L[1] + L[2]
        ),
        "One layer is missing: does your loop reach the last one?": lambda L: L[1] @ L[0],
        "One layer is missing: where does your product begin?": lambda L: L[2] @ L[1],
        "That is the transpose. Which of the two maps inputs to outputs?": lambda L: _product(L).T,
    },
    hints=("Start with `W = layers[0]`.", "For each next layer `V`: put it to the left of `W`."),
    praise=(
        "Any product of matrices is a matrix: depth adds no function that one layer could not "
        "express. What it changes is how gradient descent gets there."
    ),
    probes=((_LAYERS,),),
)

EXERCISES = (_END_TO_END,)
