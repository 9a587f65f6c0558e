"""Exercises of notebook 07: what stops very deep networks, and what helps."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.dynamics.networks import LinearNetwork


def _product(layers: Any) -> Any:
    W = np.eye(len(layers[0]))
    for V in layers:
        W = np.asarray(V, float) @ W
    return W


def _make(build: Any) -> Any:
    """Return a function of the exercise's arguments from one of (rng, d, N, scale)."""
    return lambda d, N, scale, seed: build(np.random.default_rng(seed), d, N, scale)


def _spread(f: Any) -> float:
    """Return the standard deviation of what is added to the identity."""
    return float(np.std([np.asarray(V) - np.eye(20) for V in f(20, 10, 0.05, 0)]))


_IDENTITY = Exercise(
    name="identity_layers",
    notebook="07",
    kind="write",
    title="Identity initialisation",
    prompt=(
        "Return a list of `N` layers, each a `d` × `d` matrix: the identity plus independent "
        "Gaussian noise of standard deviation `scale`. Make the noise with "
        "`np.random.default_rng(seed)`."
    ),
    todo="np.random.default_rng(seed) makes the noise",
    solution=(
        "def identity_layers(d, N, scale, seed):\n    rng = np.random.default_rng(seed)\n"
        "    return [np.eye(d) + scale * rng.standard_normal((d, d)) for _ in range(N)]"
    ),
    properties={
        "there are `N` layers of shape (d, d)": lambda f: np.shape(f(3, 5, 0.1, 0)) == (5, 3, 3),
        "without noise the product of 50 layers is the identity": lambda f: close(
            _product(f(3, 50, 0.0, 0)), np.eye(3)
        ),
        "the noise has the standard deviation asked for": lambda f: 0.045 < _spread(f) < 0.055,
        "no two layers are alike": lambda f: (
            not np.allclose(f(3, 2, 0.1, 0)[0], f(3, 2, 0.1, 0)[1])
        ),
        "another seed, other noise; the same seed, the same": lambda f: (
            close(f(3, 2, 0.1, 4), f(3, 2, 0.1, 4))
            and not np.allclose(f(3, 2, 0.1, 4), f(3, 2, 0.1, 5))
        ),
    },
    mistakes={
        "The identity was scaled as well. Only the noise is small.": Mistake(
            _make(
                lambda rng, d, N, s: [
                    s * (np.eye(d) + rng.standard_normal((d, d))) for _ in range(N)
                ]
            ),
            lambda f: close(
                f(3, 5, 0.1, 0)[0],
                0.1 * (np.eye(3) + np.random.default_rng(0).standard_normal((3, 3))),
            ),
        ),
        "Only the first layer has the identity.": Mistake(
            _make(
                lambda rng, d, N, s: [
                    (np.eye(d) if j == 0 else 0) + s * rng.standard_normal((d, d)) for j in range(N)
                ]
            ),
            lambda f: close(f(3, 5, 0.0, 0)[0], np.eye(3)) and not np.any(f(3, 5, 0.0, 0)[1]),
        ),
        "That is near-zero initialisation: where is the identity?": Mistake(
            _make(lambda rng, d, N, s: [s * rng.standard_normal((d, d)) for _ in range(N)]),
            lambda f: close(_product(f(3, 5, 0.0, 0)), np.zeros((3, 3))),
        ),
        "The noise is not scaled.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d) + rng.standard_normal((d, d)) for _ in range(N)]),
            lambda f: _spread(f) > 0.5,
        ),
        "Every layer has the same noise: draw anew for each.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d) + s * rng.standard_normal((d, d))] * N),
            lambda f: close(f(3, 2, 0.1, 0)[0], f(3, 2, 0.1, 0)[1]) and _spread(f) > 0,
        ),
        "There is no noise at all: all layers would stay equal for ever.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d)] * N), lambda f: _spread(f) == 0
        ),
        "The noise is never negative: use `standard_normal`, which has both signs.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d) + s * rng.random((d, d)) for _ in range(N)]),
            lambda f: all(np.min(np.asarray(V) - np.eye(20)) >= 0 for V in f(20, 3, 0.05, 0)),
        ),
        "`seed` is not used.": Mistake(
            lambda d, N, s, seed: list(
                np.eye(d) + s * np.random.default_rng(0).standard_normal((N, d, d))
            ),
            lambda f: close(f(3, 2, 0.1, 4), f(3, 2, 0.1, 5)),
        ),
    },
    hints=(
        "`np.eye(d)` is the identity.",
        "`np.eye(d) + scale * rng.standard_normal((d, d))`, `N` times.",
    ),
    praise="However deep, the product starts near the identity: no stall. This is a "
    "linear residual network.",
    probes=((3, 4, 0.1, 0),),
)


def _real_factor(scale: float, N: int) -> float:
    """Return how far a step moves the product of N equal scalars, relative to gradient descent."""
    network = LinearNetwork(tuple(np.full((1, 1), scale) for _ in range(N)))
    slopes = network.layer_gradients([[1.0]])
    return float(sum(slopes[j][0, 0] * scale ** (N - 1) for j in range(N)))


_STALL = Exercise(
    name="first_step_factor",
    notebook="07",
    kind="write",
    title="Why near-zero networks stall",
    prompt=(
        "All `N` layers are single numbers that start at `scale`, so $w = $ `scale` $^N$. By "
        "what factor is the first step of $w$ longer or shorter than that of gradient descent on "
        r"$w$ itself, at the same learning rate? (Use the rule along $w$: $N\|w\|^{2-2/N}$.)"
    ),
    solution="def first_step_factor(scale, N):\n    return N * scale ** (2 * N - 2)",
    properties={
        "at depth 1 it is 1": lambda f: close(f(0.1, 1), 1.0),
        "it is what the chain rule gives for 4 layers": lambda f: close(
            f(0.1, 4), _real_factor(0.1, 4)
        ),
        "from `scale = 1` it is $N$": lambda f: close(f(1.0, 8), 8.0),
        "at depth 3 a start ten times smaller is ten thousand times slower": lambda f: close(
            f(0.1, 3) / f(0.01, 3), 1e4
        ),
    },
    mistakes={
        r"$\|w\|$ is not `scale`: "
        r"it is the product of $N$ factors.": lambda s, N: N * s ** (2 - 2 / N),
        "Along $w$ the rule has a factor $N$.": lambda s, N: s ** (2 * N - 2),
        "That is the size of $w$, not of its step.": lambda s, N: s**N,
        "That is one layer's gradient. "
        "The product moves by all of them, each times $N-1$ others.": lambda s, N: s ** (N - 1),
        "The move of each layer is multiplied by the $N-1$ others once more.": lambda s, N: (
            N * s ** (N - 1)
        ),
        "Power $2N$? At depth 1 there would be a factor left.": lambda s, N: N * s ** (2 * N),
        "Upside down: a small start makes small steps.": lambda s, N: N * s ** (2 - 2 * N),
    },
    hints=(
        r"Put $\|w\| = $ `scale` $^N$ into $N\|w\|^{2-2/N}$.",
        "`scale ** (N * (2 - 2 / N))` is `scale ** (2 * N - 2)`.",
    ),
    praise="At scale 0.1 and depth 8 the first step is about $10^{-13}$ of gradient "
    "descent's: a stall.",
    probes=((0.1, 3), (0.5, 4), (2.0, 2)),
)

_OPTIONS = (
    "- **A** A ten times larger learning rate: then it starts ten times sooner, "
    "and no harm is done.\n"
    "- **B** Identity initialisation: the product starts near 1 however many layers there are.\n"
    "- **C** Wider hidden layers: more paths, so larger steps.\n"
    "- **D** Weight decay: it pushes the weights out of the saddle.\n"
    "- **E** A start at exactly 0: then all layers agree.\n"
    "- **F** Even smaller weights: then the layers are better balanced and the rule holds."
)

_CURE = Exercise(
    name="cure_of_the_stall",
    notebook="07",
    kind="choose",
    title="What cures the stall, and why?",
    prompt=(
        "A linear network of 16 layers, started near zero, does not move. Which change is the "
        f"cure, for the reason given?\n\n{_OPTIONS}"
    ),
    todo="a letter, such as 'A'",
    solution='cure_of_the_stall = "B"',
    properties={
        "one of the six": lambda c: isinstance(c, str) and c.strip().upper() == "B",
    },
    mistakes={
        "At the start the factor is many powers of ten. "
        "A rate that makes up for it explodes as soon as the weights have grown.": "A",
        "The width is not in the rule. At the same end-to-end matrix the step is the same.": "C",
        "Weight decay pulls towards 0, deeper into the saddle.": "D",
        "At exactly 0 nothing moves, for ever: every layer's gradient contains the others.": "E",
        "Better balanced, true. But the step shrinks with a high power of the size.": "F",
        "Give one letter from A to F, in quotes.": Mistake(2, lambda c: not isinstance(c, str)),
    },
    hints=(r"The step carries $\|W\|^{2-2/N}$. Which change makes $\|W\|$ about 1?",),
    praise="And this is what residual connections do in practice: each layer starts as "
    "the identity.",
)

EXERCISES = (_IDENTITY, _STALL, _CURE)
