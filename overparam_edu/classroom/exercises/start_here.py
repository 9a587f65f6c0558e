"""Exercises of notebook 00: what a deep linear network computes, and what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close, seen_at
from overparam_edu.classroom.forms import matrix
from overparam_edu.dynamics.networks import product

_RNG = np.random.default_rng(1)
_LAYERS = tuple(_RNG.standard_normal((3, 3, 3)))
_SQUARE = ((_LAYERS,), (_LAYERS[:2],))
_NARROW = (_RNG.standard_normal((2, 4)), _RNG.standard_normal((3, 2)))


def _drawn(rng: np.random.Generator) -> tuple[list[Any]]:
    """Return between 1 and 5 layers of widths between 1 and 4."""
    widths = rng.integers(1, 5, rng.integers(2, 7))
    return ([rng.standard_normal(shape) for shape in zip(widths[1:], widths[:-1], strict=True)],)


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
            f(_LAYERS), product(_LAYERS)
        ),
        "one layer is its own product": lambda f: close(f(_LAYERS[:1]), _LAYERS[0]),
        "layers of shapes (2, 4) and (3, 2) make a matrix of shape (3, 4)": lambda f: close(
            f(_NARROW), _NARROW[1] @ _NARROW[0]
        ),
    },
    mistakes={
        "The order: $W_2 W_1 x$ means that $W_1$ acts **first**, "
        "so it stands on the right.": seen_at(_SQUARE, lambda L: product(L[::-1])),
        "`*` multiplies entry by entry. The product of matrices is `@`.": seen_at(
            _SQUARE, lambda L: np.prod(L, axis=0)
        ),
        "Layers act one after the other: their matrices are multiplied, not added.": seen_at(
            _SQUARE, lambda L: np.sum(L, axis=0)
        ),
        "The last layer is missing: does your loop reach it?": seen_at(
            _SQUARE, lambda L: product(L[:-1])
        ),
        "The first layer is missing: where does your product begin?": seen_at(
            _SQUARE, lambda L: product(L[1:])
        ),
        "The first layer acts twice: after `W = layers[0]` the loop goes over "
        "`layers[1:]`.": seen_at(_SQUARE, lambda L: product([L[0], *L])),
        "That is the transpose. Which of the two maps inputs to outputs?": lambda L: product(L).T,
    },
    hints=("Start with `W = layers[0]`.", "For each next layer `V`: put it to the left of `W`."),
    praise=(
        "Any product of matrices is a matrix: depth adds no function that one layer could not "
        "express. What it changes is how gradient descent gets there."
    ),
    probes=((_LAYERS,),),
    draw=_drawn,
)


def _made(networks: Any) -> Any:
    """Return what the two networks, and their mean, multiply x by."""
    return [first * second for first, second in (*networks, networks.mean(axis=0))]


def _perfect(networks: Any) -> bool:
    return close(_made(networks)[:2], [1.0, 1.0], 0.01)


_NOT_CONVEX = Exercise(
    name="two_best_networks",
    notebook="00",
    kind="find a counterexample",
    title="Why it looks harder",
    prompt=(
        r"The smallest deep network, $\hat y = w_2 w_1 x$, is to learn $y = x$: it is perfect "
        r"where $w_2 w_1 = 1$. “The mean of two perfect models is perfect.” True of linear models, "
        r"and of every convex problem. Find a counterexample: two perfect networks $(w_1, w_2)$ "
        r"whose mean, weight by weight, misses 1 by more than 0.1."
    ),
    todo="[[w1, w2], [w1, w2]]: two networks",
    solution="two_best_networks = [[4.0, 0.25], [0.5, 2.0]]",
    properties={
        "both networks are perfect": _perfect,
        "their mean misses 1 by more than 0.1": lambda n: abs(_made(n)[2] - 1) > 0.1,
    },
    mistakes={
        "Each row is one network. Yours stand in the columns.": Mistake(
            [[4.0, 0.5], [0.25, 2.0]], lambda n: not _perfect(n) and _perfect(n.T)
        ),
        "The weights are multiplied, not added: $w_2w_1 = 1$.": Mistake(
            [[0.5, 0.5], [0.3, 0.7]], lambda n: close(n.sum(axis=1), [1.0, 1.0], 0.01)
        ),
        "With a weight of 0 a network answers 0 to everything.": Mistake(
            [[1.0, 1.0], [1.0, 0.0]], lambda n: not np.all(n)
        ),
        "One of these products is negative: that network answers with the wrong sign.": Mistake(
            [[1.0, 1.0], [-1.0, 1.0]], lambda n: min(_made(n)[:2]) < 0
        ),
        "At least one of the two is not perfect: its weights must multiply to 1.": Mistake(
            [[1.0, 1.0], [2.0, 2.0]], lambda n: not _perfect(n)
        ),
        "That is the same network twice, and so is its mean.": Mistake(
            [[1.0, 1.0], [1.0, 1.0]], lambda n: np.array_equal(*n)
        ),
        "The mean of these two is still too good. Take two that are less alike.": Mistake(
            [[1.0, 1.0], [1.25, 0.8]], lambda n: abs(_made(n)[2] - 1) <= 0.1
        ),
    },
    hints=(
        "Give one network a large $w_1$, the other one a small $w_1$.",
        "Change both signs of a perfect network: what is it then?",
    ),
    praise=(
        "The perfect networks lie on the hyperbola $w_1w_2=1$, and the mean of no two different "
        "ones is on it: the problem is not convex. How descent moves on it is the course."
    ),
    returns=matrix(2, 2),
)

EXERCISES = (_NOT_CONVEX, _END_TO_END)
