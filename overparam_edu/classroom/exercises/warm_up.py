"""Exercises of notebook 01: one extra scalar."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close

_W1, _G = np.array([0.6, -0.4, 0.9]), np.array([0.5, 0.3, -0.8])


def _step(w1: Any, omega2: float, g: Any, eta: float) -> Any:
    return (omega2 - eta * (w1 @ g)) * (w1 - eta * omega2 * g)


def _real_step(eta: float) -> Any:
    """Return one step on both parameters with gradients by central differences."""

    def loss(w1: Any, omega2: float) -> float:
        return float(_G @ (omega2 * w1))

    h = 1e-6
    slopes = [(loss(_W1 + d, 0.7) - loss(_W1 - d, 0.7)) / (2 * h) for d in h * np.eye(3)]
    slope = (loss(_W1, 0.7 + h) - loss(_W1, 0.7 - h)) / (2 * h)
    return (0.7 - eta * slope) * (_W1 - eta * np.array(slopes))


_STEP = Exercise(
    name="warm_up_step",
    notebook="01",
    kind="write",
    title="One exact step",
    prompt=(
        r"The model is $w = w_1\omega_2$, a vector times one extra scalar. Do **one** step of "
        r"gradient descent on $w_1$ and $\omega_2$ with learning rate `eta`, and return the new "
        r"$w$. `g` is $\nabla L(w)$ before the step."
    ),
    todo="three lines: two gradients, then the new product",
    solution=(
        "def warm_up_step(w1, omega2, g, eta):\n    new_w1 = w1 - eta * omega2 * g\n"
        "    new_omega2 = omega2 - eta * (w1 @ g)\n    return new_omega2 * new_w1"
    ),
    properties={
        "it is the step taken with finite-difference gradients": lambda f: close(
            f(_W1, 0.7, _G, 0.3), _real_step(0.3)
        ),
        "with `eta = 0` the product stays": lambda f: close(f(_W1, 0.7, _G, 0.0), 0.7 * _W1),
        r"at $\omega_2 = 0$ the vector $w_1$ does not move, "
        r"but $w$ does": lambda f: close(f(_W1, 0.0, _G, 0.5), -0.5 * (_W1 @ _G) * _W1),
    },
    mistakes={
        r"Chain rule for $w_1$: moving it moves $w$ only $\omega_2$ times as "
        r"far.": lambda w1, o, g, eta: (o - eta * (w1 @ g)) * (w1 - eta * g),
        r"Both move in one step: the scalar has a gradient too, "
        r"$\langle w_1, g\rangle$.": lambda w1, o, g, eta: o * (w1 - eta * o * g),
        "Now only the scalar moves. What about $w_1$?": lambda w1, o, g, eta: (
            (o - eta * (w1 @ g)) * w1
        ),
        "Both gradients are taken **before** the step; you used a new value in one of "
        "them.": lambda w1, o, g, eta: (o - eta * ((w1 - eta * o * g) @ g)) * (w1 - eta * o * g),
        "The sign: gradient descent goes against the gradient.": lambda w1, o, g, eta: (
            (o + eta * (w1 @ g)) * (w1 + eta * o * g)
        ),
        r"This drops the term of order $\eta^2$. The exact product has four "
        r"terms.": lambda w1, o, g, eta: o * w1 - eta * o**2 * g - eta * (w1 @ g) * w1,
        r"The scalar's gradient pairs `g` with $w_1$, not with "
        r"$w = w_1\omega_2$.": lambda w1, o, g, eta: (o - eta * o * (w1 @ g)) * (w1 - eta * o * g),
        r"That is plain gradient descent on $w$. "
        r"The step acts on $w_1$ and $\omega_2$.": lambda w1, o, g, eta: o * w1 - eta * g,
    },
    hints=(
        r"The gradient in $w_1$ is $\omega_2 g$, in $\omega_2$ it is $\langle w_1, g\rangle$.",
        "Compute both new parameters from the old ones, and only then multiply.",
    ),
    praise=r"Multiply it out and you see the learning rate $\eta\omega_2^2$ and a term along $w$.",
    probes=((_W1, 0.7, _G, 0.3), (2 * _W1, -0.4, _G, 0.1)),
)


def _coefficients_explain(f: Any) -> bool:
    """Return whether w - rho g - gamma w misses the exact step by a term of order eta squared."""
    gaps = []
    for eta in (1e-2, 1e-3):
        rho, gamma = f(_W1, 0.7, _G, eta)
        guess = (1 - gamma) * 0.7 * _W1 - rho * _G
        gaps.append(np.abs(guess - _step(_W1, 0.7, _G, eta)).max())
    return bool(gaps[1] < 0.02 * gaps[0] and gaps[0] < 1e-3)


_COEFFICIENTS = Exercise(
    name="rate_and_shrinking",
    notebook="01",
    kind="write",
    title="The coefficients of the warm-up",
    prompt=(
        r"Up to terms of order $\eta^2$ the step is $w \leftarrow (1 - \gamma)\,w - \rho\, g$. "
        r"Return $\rho$ and $\gamma$, in this order."
    ),
    todo="return rho, gamma",
    solution=(
        "def rate_and_shrinking(w1, omega2, g, eta):\n    rho = eta * omega2**2\n"
        "    gamma = eta * (w1 @ g) / omega2\n    return rho, gamma"
    ),
    properties={
        "with a tenth of `eta` the formula's error is a hundredth": _coefficients_explain,
        "both are proportional to `eta`": lambda f: close(
            f(_W1, 0.7, _G, 0.2), 2 * np.asarray(f(_W1, 0.7, _G, 0.1))
        ),
        r"where `g` is orthogonal to $w_1$ nothing shrinks or grows: "
        r"$\gamma = 0$": lambda f: abs(f(_W1, 0.7, np.array([2.0, 3.0, 0.0]), 0.1)[1]) < 1e-12,
    },
    mistakes={
        r"$\rho$ needs $\omega_2$ twice: once in the gradient of $w_1$, "
        r"once in the product.": lambda w1, o, g, eta: (eta * o, eta * (w1 @ g) / o),
        r"$\gamma$ multiplies $w$, and $w_1 = w/\omega_2$: "
        r"something must be divided.": lambda w1, o, g, eta: (eta * o**2, eta * (w1 @ g)),
        r"Sign of $\gamma$: the formula already has "
        r"$1 - \gamma$.": lambda w1, o, g, eta: (eta * o**2, -eta * (w1 @ g) / o),
        r"The order: $\rho$ first.": lambda w1, o, g, eta: (eta * (w1 @ g) / o, eta * o**2),
        "Both coefficients carry the learning rate `eta`.": lambda w1, o, g, eta: (
            o**2,
            (w1 @ g) / o,
        ),
        r"$\gamma$: divide by $\omega_2$, don't multiply. "
        r"Write $w_1$ as $w/\omega_2$.": lambda w1, o, g, eta: (eta * o**2, eta * o * (w1 @ g)),
        r"The sign of $\rho$: the formula already has "
        r"$-\rho\,g$.": lambda w1, o, g, eta: (-eta * o**2, eta * (w1 @ g) / o),
    },
    hints=(
        r"Multiply $(\omega_2 - \eta\langle w_1, g\rangle)(w_1 - \eta\omega_2 g)$ out.",
        r"The term $-\eta\langle w_1,g\rangle w_1$ is $-\gamma w$ with $w = w_1\omega_2$.",
    ),
    praise=(
        r"A learning rate that adapts with $\omega_2$, and a factor on $w$ that will become "
        r"momentum."
    ),
    probes=((_W1, 0.7, _G, 0.3), (2 * _W1, -0.4, _G, 0.1)),
)

_RHO, _GAMMA = np.array([0.3, 0.4, 0.5, 0.6, 0.7]), np.array([-0.1, -0.3, -0.2, -0.4, -0.5])


def _unrolled(f: Any) -> bool:
    """Return whether the weights of the past rebuild the recursion from w = 0."""
    slopes, w, past = np.array([1.0, -0.5, 0.8, 0.3, -0.7]), 0.0, 0.0
    for t in range(5):
        past += -_RHO[t] * slopes[t] - sum(f(_RHO, _GAMMA, s, t) * slopes[s] for s in range(t))
        w = (1 - _GAMMA[t]) * w - _RHO[t] * slopes[t]
        if abs(w - past) > 1e-9:
            return False
    return True


def _library_weights() -> Any:
    from overparam_edu.dynamics.warm_up import warm_up_coefficients

    return warm_up_coefficients(np.sqrt(_RHO), _GAMMA * np.sqrt(_RHO), 1.0).mu[4, :4]


def _weight(sign: float, first: int, last: int, *, head: bool = True) -> Any:
    def mu(rho: Any, gamma: Any, tau: int, t: int) -> float:
        fade = float(np.prod(1 - gamma[tau + first : t + last]))
        return float(sign * (gamma[t] if head else 1.0) * rho[tau] * fade)

    return mu


_MEMORY = Exercise(
    name="memory_weight",
    notebook="01",
    kind="write",
    title="The momentum of the past",
    prompt=(
        r"Unroll $w(t+1) = (1-\gamma_t)\,w(t) - \rho_t g_t$ from $w(0) = 0$ and write it as "
        r"$w(t+1) = w(t) - \rho_t g_t - \sum_{\tau<t} \mu_{t,\tau}\, g_\tau$. Return "
        r"$\mu_{t,\tau}$ for `tau < t`; `rho` and `gamma` are arrays."
    ),
    solution=(
        "def memory_weight(rho, gamma, tau, t):\n    fade = np.prod(1 - gamma[tau + 1 : t])\n"
        "    return -gamma[t] * rho[tau] * fade"
    ),
    properties={
        "the unrolled sum equals the recursion for five steps": _unrolled,
        r"while the norm grows ($\gamma < 0$) every weight is positive: "
        r"momentum": lambda f: all(f(_RHO, _GAMMA, s, 4) > 0 for s in range(4)),
        "it agrees with the library": lambda f: close(
            [f(_RHO, _GAMMA, s, 4) for s in range(4)],
            _library_weights(),
        ),
    },
    mistakes={
        r"The sign: "
        r"$-\gamma_t w(t)$ and $w(t) = -\sum(\dots)$ give minus times minus.": _weight(1.0, 1, 0),
        r"The gradient of time $\tau$ is not faded by $1-\gamma_\tau$ itself.": _weight(-1, 0, 0),
        r"Update $t$ is the one being written: "
        r"its factor $1-\gamma_t$ is not in the product.": _weight(-1, 1, 1),
        r"Where is $\gamma_t$? Only that part of $w(t)$ is new.": _weight(-1, 1, 0, head=False),
        r"The past fades by $1-\gamma_s$, with a minus.": lambda rho, gamma, tau, t: (
            -gamma[t] * rho[tau] * np.prod(1 + gamma[tau + 1 : t])
        ),
        "Factors of successive steps multiply; you added them.": lambda rho, gamma, tau, t: (
            -gamma[t] * rho[tau] * np.sum(1 - gamma[tau + 1 : t])
        ),
        r"The fading in between is missing: "
        r"what happens from $\tau+1$ to $t-1$?": lambda rho, gamma, tau, t: -gamma[t] * rho[tau],
    },
    hints=(
        r"First write $w(t) = -\sum_{\tau<t} \rho_\tau g_\tau \prod_{s=\tau+1}^{t-1}(1-\gamma_s)$.",
        r"Then $-\gamma_t w(t)$ is the part that is new in update $t$.",
    ),
    praise="One extra scalar gives momentum with a memory as long as the run.",
    probes=((_RHO, _GAMMA, 0, 3), (_RHO, _GAMMA, 1, 4), (_RHO, _GAMMA, 0, 4)),
)


@cache
def _rebuild_error(eta: float) -> float:
    """Return the error of the end of a run rebuilt from past gradients, at time eta T = 2."""
    from overparam_edu.dynamics.warm_up import rebuild_from_gradients, warm_up_coefficients

    w1, omega2 = np.array([1e-3, 1e-3]), 0.5
    scalars, slopes, gradients = [], [], []
    start = omega2 * w1
    for _ in range(round(2 / eta)):
        g = omega2 * w1 - np.array([1.0, 0.3])
        scalars.append(omega2)
        slopes.append(w1 @ g)
        gradients.append(g)
        w1, omega2 = w1 - eta * omega2 * g, omega2 - eta * slopes[-1]
    rebuilt = rebuild_from_gradients(
        warm_up_coefficients(scalars, slopes, eta), np.array(gradients), start=start
    )
    return float(np.abs(rebuilt[-1] - omega2 * w1).max())


def _is_the_ratio(guess: Any) -> bool:
    return close(float(guess), _rebuild_error(1e-2) / _rebuild_error(1e-3), 0.25)


_ORDER = Exercise(
    name="rebuild_ratio",
    notebook="01",
    kind="predict",
    title="How good is the rebuild?",
    prompt=(
        r"Rebuilding $w(T)$ from past gradients drops a term of order $\eta^2$ in **each** step. "
        r"Make $\eta$ ten times smaller, over the same time $\eta T$. By what factor does the "
        "error at the end fall?"
    ),
    solution="rebuild_ratio = 10",
    properties={
        "the ratio of two measured errors": _is_the_ratio,
    },
    mistakes={
        "Right for one step. But there are ten times as many steps now.": 100,
        r"It does fall: each step's error has a factor $\eta^2$.": 1,
        "It falls, it does not grow: more steps, but each far more exact.": 0.1,
        r"Count again: order $\eta^2$ per step, and the number of steps grows as $1/\eta$.": 1000,
        "Errors here add up, they are not random: no square root.": Mistake(
            3.2, lambda x: 2.5 < float(x) < 4
        ),
        "The same sign each step: the errors don't cancel.": Mistake(
            30, lambda x: 25 < float(x) < 40
        ),
    },
    hints=("Error per step, times number of steps.",),
    praise=r"First order over a fixed time: $\eta^2$ per step, $1/\eta$ steps.",
)

EXERCISES = (_STEP, _COEFFICIENTS, _MEMORY, _ORDER)
