"""Exercises of notebook 08: extra matrices in a convolutional network."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.classroom.forms import Form
from overparam_edu.experiments.convnet import recorded_convnet

_RNG = np.random.default_rng(8)
_A, _B = _RNG.standard_normal((2, 3, 3))
_TALL, _FLAT = _RNG.standard_normal((4, 2)), _RNG.standard_normal((2, 3))
_c, _b, _x = _RNG.standard_normal((3, 3))

_EXTRA = Exercise(
    name="extra_parameters",
    notebook="08",
    kind="write",
    title="What the extra matrices cost",
    prompt=(
        "Replace each dense matrix by a product of `N` matrices instead of two: after it stand "
        "$N - 1$ square ones, without a bias. `outputs` lists the layers' numbers of outputs (here "
        "`[512, 10]`). How many parameters are added?"
    ),
    solution=(
        "def extra_parameters(outputs, N):\n    return (N - 1) * sum(n * n for n in outputs)"
    ),
    properties={
        "for one layer of 10 outputs and $N = 2$ it is 100": lambda f: close(f([10], 2), 100),
        "for `[512, 10]` and $N = 2$ it is 262,244": lambda f: close(
            f([512, 10], 2), 262_244, 1e-9
        ),
        "$N = 1$ adds nothing": lambda f: close(f([512, 10], 1), 0),
        "the order does not matter": lambda f: close(f([3, 7, 5], 3), f([5, 3, 7], 3)),
    },
    mistakes={
        "That is for $N = 2$. Each further factor costs as much again.": lambda o, N: sum(
            n * n for n in o
        ),
        "A product of $N$ has $N - 1$ square matrices beside the one that was there.": (
            lambda o, N: N * sum(n * n for n in o)
        ),
        "Square matrices one after the other: their numbers add up.": lambda o, N: sum(
            (n * n) ** (N - 1) for n in o
        ),
        "The extra matrices have no bias.": lambda o, N: (N - 1) * sum(n * n + n for n in o),
        "Those are biases. A square matrix has `n * n` entries.": lambda o, N: (N - 1) * sum(o),
        "Square matrices **for each layer**: the largest is not all.": lambda o, N: (
            (N - 1) * max(o, default=0) ** 2
        ),
        "Square first, then add: `(a + b)**2` is more than `a**2 + b**2`.": lambda o, N: (
            (N - 1) * sum(o) ** 2
        ),
        "You multiplied neighbouring layers. The extra matrix is square: "
        "n outputs in, n out.": lambda o, N: (N - 1) * sum(a * b for a, b in pairwise(o)),
    },
    hints=(
        "A matrix that takes n numbers to n numbers has n times n entries.",
        "`sum(n * n for n in outputs)`, and that $N - 1$ times.",
    ),
    praise="At $N = 2$, 262,244 on top of 1,663,370: 15.8 % more, and not one more function.",
    probes=(([512, 10], 2), ([3, 7, 5], 4)),
    draw=lambda rng: (
        rng.integers(1, 60, int(rng.integers(0, 6))).tolist(),
        int(rng.integers(1, 6)),
    ),
)


def _same_function(f: Any, layers: tuple[Any, ...], x: Any) -> bool:
    A, B, c, b = layers
    W, bias = f(*layers)
    return close(W @ x + bias, A @ (B @ x + c) + b)


_FOLD = Exercise(
    name="fold",
    notebook="08",
    kind="write",
    title="Fold the extra matrix away",
    prompt=(
        "After training the extra matrix can go. A layer computes $A(Bx + c) + b$. Return $W$ and "
        "the bias of the **one** dense layer that computes the same."
    ),
    todo="return W, bias",
    solution="def fold(A, B, c, b):\n    return A @ B, A @ c + b",
    properties={
        "the same output for a random input": lambda f: _same_function(f, (_A, _B, _c, _b), _x),
        "for layers of different sizes too": lambda f: _same_function(
            f, (_TALL, _FLAT, _c[:2], np.append(_b, 1.0)), _x
        ),
        "with $A$ the identity nothing changes but the bias": lambda f: close(
            f(np.eye(3), _B, _c, _b)[1], _c + _b
        ),
    },
    mistakes={
        "The order: $B$ acts first, so it stands on the right.": lambda A, B, c, b: (
            B @ A,
            A @ c + b,
        ),
        "The inner bias passes through $A$ as well.": lambda A, B, c, b: (A @ B, c + b),
        "The inner bias got lost.": lambda A, B, c, b: (A @ B, b),
        "The outer bias got lost.": lambda A, B, c, b: (A @ B, A @ c),
        "`*` multiplies entry by entry: use `@`.": lambda A, B, c, b: (A * B, A @ c + b),
        "Layers one after the other are multiplied, not added.": lambda A, B, c, b: (
            A + B,
            A @ c + b,
        ),
        "The outer bias comes after $A$: it is not multiplied.": lambda A, B, c, b: (
            A @ B,
            A @ (c + b),
        ),
        "The inner bias meets $A$, not $B$.": lambda A, B, c, b: (A @ B, B @ c + b),
    },
    hints=("Multiply out: $A(Bx + c) + b = ABx + Ac + b$.", "`return A @ B, A @ c + b`."),
    praise="It costs nothing at test time: the trained network has the original's size and speed.",
    probes=((_A, _B, _c, _b),),
    draw=lambda rng: (
        rng.standard_normal((rows := int(rng.integers(1, 5)), inner := int(rng.integers(1, 5)))),
        rng.standard_normal((inner, int(rng.integers(1, 5)))),
        rng.standard_normal(inner),
        rng.standard_normal(rows),
    ),
)


def _decay(pairs: Any, lam: float) -> float:
    return 0.5 * lam * sum(float(np.sum((A @ B) ** 2)) for A, B in pairs)


_DATA = Exercise(
    name="data_term",
    notebook="08",
    kind="write",
    title="Which loss is falling?",
    prompt=(
        "In the network “product” each dense matrix is a product $A_jB_j$, and the plotted loss is "
        r"$\text{data} + \frac\lambda2\sum_j\|A_jB_j\|_F^2$. Return the data term, given `total`, "
        "the list `pairs` of `(A, B)`, and `lam`."
    ),
    solution=(
        "def data_term(total, pairs, lam):\n"
        "    return total - lam / 2 * sum(np.sum((A @ B) ** 2) for A, B in pairs)"
    ),
    properties={
        "without decay it is the total": lambda f: close(f(2.0, [(_A, _B)], 0.0), 2.0),
        "two layers of different shapes": lambda f: close(
            f(2.0, [(_A, _B), (_TALL, _FLAT)], 0.1), 2.0 - _decay([(_A, _B), (_TALL, _FLAT)], 0.1)
        ),
        "a factor twice as large: four times as much is subtracted": lambda f: close(
            2.0 - f(2.0, [(2 * _A, _B)], 0.1), 4 * (2.0 - f(2.0, [(_A, _B)], 0.1))
        ),
        "no weights, nothing subtracted": lambda f: close(f(2.0, [], 0.1), 2.0),
    },
    mistakes={
        "That is decay on each matrix. Here it is on their product.": lambda t, ps, lam: (
            t - lam / 2 * sum(np.sum(A**2) + np.sum(B**2) for A, B in ps)
        ),
        "The norm of a product is not the product of the norms.": lambda t, ps, lam: (
            t - lam / 2 * sum(np.sum(A**2) * np.sum(B**2) for A, B in ps)
        ),
        "The half is missing.": lambda t, ps, lam: t - 2 * _decay(ps, lam),
        "The total contains the decay, so it is **subtracted**.": lambda t, ps, lam: (
            t + _decay(ps, lam)
        ),
        "The norm is squared.": lambda t, ps, lam: (
            t - lam / 2 * sum(np.linalg.norm(A @ B) for A, B in ps)
        ),
        "A sum over the entries, not their mean.": lambda t, ps, lam: (
            t - lam / 2 * sum(np.mean((A @ B) ** 2) for A, B in ps)
        ),
        "All layers count: you took one.": lambda t, ps, lam: t - _decay(ps[:1], lam),
        "You took the mean over the layers.": lambda t, ps, lam: (
            t - _decay(ps, lam) / max(len(ps), 1)
        ),
        "That is the decay term itself.": lambda t, ps, lam: _decay(ps, lam),
        "The norm of the matrix as an operator (its largest singular value) is not the Frobenius "
        "norm.": lambda t, ps, lam: t - lam / 2 * sum(np.linalg.norm(A @ B, 2) ** 2 for A, B in ps),
    },
    hints=(
        r"$\|W\|_F^2$ is `np.sum(W**2)`.",
        "`for A, B in pairs`, with $W$ the product `A @ B`.",
    ),
    praise="In the talk's last experiment most of the curve on the screen is the decay. Draw both.",
    probes=((2.0, [(_A, _B), (_TALL, _FLAT)], 0.1), (1.0, [(_B, _A)], 0.3)),
    draw=lambda rng: (
        float(rng.uniform(0, 9)),
        [
            (rng.standard_normal((a, b)), rng.standard_normal((b, c)))
            for a, b, c in rng.integers(1, 5, (int(rng.integers(0, 5)), 3)).tolist()
        ],
        float(rng.uniform(0, 2)),
    ),
)


def _read_stretch(answer: Any) -> tuple[str, int, int]:
    network, first, last = answer
    steps = recorded_convnet().steps
    if network not in recorded_convnet().networks or first not in steps or last not in steps:
        raise ValueError
    return network, int(first), int(last)


@cache
def _terms(network: str, step: int) -> tuple[float, float]:
    """Return the plotted loss and its data term at a recorded step, means over the seeds."""
    runs = recorded_convnet()
    column = int(np.flatnonzero(runs.steps == step)[0])
    total, data = (runs.of(network, term)[:, column].mean() for term in ("total", "data"))
    return float(total), float(data)


def _ends(stretch: tuple[str, int, int]) -> tuple[float, float, float, float]:
    """Return the plotted loss at the first and the last step, and the data term."""
    network, first, last = stretch
    (total, data), (total_then, data_then) = _terms(network, first), _terms(network, last)
    return total, total_then, data, data_then


def _falls(stretch: tuple[str, int, int]) -> bool:
    total, then, _, _ = _ends(stretch)
    return then < total


def _grows(stretch: tuple[str, int, int]) -> bool:
    _, _, data, then = _ends(stretch)
    return then > data


_STRETCH = Exercise(
    name="falls_but_worse",
    notebook="08",
    kind="find a counterexample",
    title="A falling loss that reads worse",
    prompt=(
        "“The plotted loss falls, so the digits are read better.” Find a counterexample in "
        "`runs = oe.recorded_convnet()`: a network and two of the recorded `runs.steps`, between "
        "which the plotted loss, `runs.of(network)`, falls while the data term, "
        '`runs.of(network, "data")`, rises (both as means over the three seeds).'
    ),
    todo='such as ("original", 100, 8600), but one that works',
    solution=(
        "runs = oe.recorded_convnet()\n"
        'total, data = (runs.of("product", term).mean(axis=0) for term in ("total", "data"))\n'
        "rises = np.flatnonzero((np.diff(data) > 0) & (np.diff(total) < 0))\n"
        'falls_but_worse = ("product", *runs.steps[rises[0] : rises[0] + 2])'
    ),
    returns=Form(
        'a network and two recorded steps: `("original", 100, 8600)`; the networks are '
        '`"original"`, `"factors"`, `"product"`, the steps 100, 200, ... 8600',
        _read_stretch,
    ),
    properties={
        "the second step is later": lambda s: s[1] < s[2],
        "the plotted loss falls": _falls,
        "the data term rises": _grows,
    },
    mistakes={
        "The second step has to be the later one.": Mistake(
            ("product", 8600, 100), lambda s: _read_stretch(s)[1] >= s[2]
        ),
        "There both fall. Take steps near each other, where the data term goes up and "
        "down.": Mistake(("original", 100, 8600), lambda s: _falls(s) and not _grows(s)),
        "There both rise: the decay falls too slowly by then to hide it. Take an earlier "
        "stretch.": Mistake(("product", 8500, 8600), lambda s: not _falls(s) and _grows(s)),
        "A network of the record: `oe.recorded_convnet().networks`.": Mistake(
            ("deep", 100, 8600),
            lambda s: len(s) == 3 and s[0] not in recorded_convnet().networks,
        ),
        "Recorded are the steps `oe.recorded_convnet().steps`.": Mistake(
            ("product", 1, 2),
            lambda s: len(s) == 3 and not np.all(np.isin(s[1:], recorded_convnet().steps)),
        ),
    },
    hints=(
        "Where the decay falls fast, the data term may rise a little and the sum still falls.",
        '`np.diff(runs.of("product", "data").mean(axis=0))`, and the same without `"data"`.',
    ),
    praise=lambda s: (
        "From {:.2f} to {:.2f} in the plot, while the data term goes from {:.4f} to {:.4f}: the "
        "fall is weight decay.".format(*_ends(s))
    ),
)

EXERCISES = (_EXTRA, _FOLD, _DATA, _STRETCH)
