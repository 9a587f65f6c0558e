"""Exercises of notebook 01: extra scalars."""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.classroom.forms import Form, reals
from overparam_edu.dynamics.losses import QuadraticLoss
from overparam_edu.dynamics.networks import LinearNetwork
from overparam_edu.dynamics.warm_up import (
    rebuild_from_gradients,
    run_warm_up,
    warm_up_coefficients,
)

_W1, _G = np.array([0.6, -0.4, 0.9]), np.array([0.5, 0.3, -0.8])
_ACROSS = np.array([2.0, 3.0, 0.0])  # to _W1
_AT = ((_W1, 0.7, -1.3, _G, 0.3), (2 * _W1, -0.4, 0.9, _G, 0.1))


def _scalars(rng: np.random.Generator) -> tuple[Any, ...]:
    """Return a vector, two scalars of any sign, a gradient and a learning rate."""
    w1, g = 2 * rng.standard_normal((2, rng.integers(1, 5)))
    omega2, omega3 = rng.choice([-1, 1], 2) * rng.uniform(0.3, 2.5, 2)
    return w1, float(omega2), float(omega3), g, float(rng.uniform(0.05, 1))


def _step(w1: Any, o: float, p: float, g: Any, eta: float, a: Any, b: Any, c: Any) -> Any:
    """Return the product after a step along a, b and c: right are o p g, p <w1, g>, o <w1, g>."""
    return (w1 - eta * np.asarray(a)) * (o - eta * b) * (p - eta * c)


def _real_step(w1: Any, o: float, p: float, g: Any, eta: float) -> Any:
    """Return the product after a step of a real network of these three layers."""
    layers = (w1[None], np.array([[o]]), np.array([[p]]))
    slopes = LinearNetwork(layers).layer_gradients(g[None])
    moved = tuple(V - eta * S for V, S in zip(layers, slopes, strict=True))
    return LinearNetwork(moved).end_to_end_matrix[0]


def _one_after_the_other(
    order: Any, w1: Any, o: float, p: float, g: Any, eta: float, early: bool = False
) -> Any:
    """Return the product if each gradient is taken at what has been updated before it.

    With `early` the slope of w1 and g is not: it was computed in a line of its own before.
    """
    now: list[Any] = [w1, o, p]
    for which in order:
        others = [value for place, value in enumerate(now) if place != which]
        slope = (
            others[0] * others[1] * g
            if which == 0
            else others[1] * ((w1 if early else others[0]) @ g)
        )
        now[which] = now[which] - eta * slope
    return now[0] * now[1] * now[2]


def _uses_new_values(f: Any) -> bool:
    return any(
        all(close(f(*at), _one_after_the_other(order, *at, early)) for at in _AT)
        for order in permutations(range(3))
        for early in (False, True)
    )


_STEP = Exercise(
    name="two_scalar_step",
    notebook="01",
    kind="write",
    title="One more scalar",
    prompt=(
        r"Now $w = w_1\,\omega_2\,\omega_3$, a vector times **two** extra scalars. Do **one** step "
        r"of gradient descent on all three with learning rate `eta`, and return the new $w$, with "
        r"nothing dropped. `g` is $\nabla L(w)$ before the step."
    ),
    todo="three gradients, then the new product",
    solution=(
        "def two_scalar_step(w1, omega2, omega3, g, eta):\n    slope = w1 @ g\n"
        "    new_w1 = w1 - eta * omega2 * omega3 * g\n"
        "    new_omega2 = omega2 - eta * omega3 * slope\n"
        "    new_omega3 = omega3 - eta * omega2 * slope\n"
        "    return new_w1 * new_omega2 * new_omega3"
    ),
    properties={
        "it is what a real network of these three layers does": lambda f: close(
            f(*_AT[0]), _real_step(*_AT[0])
        ),
        "with `eta = 0` the product stays": lambda f: close(
            f(_W1, 0.7, -1.3, _G, 0.0), 0.7 * -1.3 * _W1
        ),
        r"at $\omega_2 = 0$ neither $w_1$ nor $\omega_3$ moves, "
        r"but $w$ does": lambda f: close(
            f(_W1, 0.0, -1.3, _G, 0.5), -0.5 * 1.3**2 * (_W1 @ _G) * _W1
        ),
        "exchanging the two scalars changes nothing": lambda f: close(
            f(_W1, 0.7, -1.3, _G, 0.3), f(_W1, -1.3, 0.7, _G, 0.3)
        ),
    },
    mistakes={
        "All three gradients are taken **before** the step. Yours uses a new value in one of "
        "them.": Mistake(
            lambda *at: _one_after_the_other((1, 0, 2), *at),
            _uses_new_values,
        ),
        r"Chain rule for $w_1$: moving it moves $w$ only $\omega_2\omega_3$ times as "
        r"far.": lambda w1, o, p, g, eta: _step(w1, o, p, g, eta, g, p * (w1 @ g), o * (w1 @ g)),
        r"Chain rule for the scalars: the gradient in $\omega_2$ is $\omega_3\langle w_1, "
        r"g\rangle$, and the other way round.": lambda w1, o, p, g, eta: _step(
            w1, o, p, g, eta, o * p * g, w1 @ g, w1 @ g
        ),
        r"Each scalar's gradient has the **other** scalar in it.": lambda w1, o, p, g, eta: _step(
            w1, o, p, g, eta, o * p * g, o * (w1 @ g), p * (w1 @ g)
        ),
        r"All three move in one step: the scalars have gradients, too.": lambda w1, o, p, g, eta: (
            _step(w1, o, p, g, eta, o * p * g, 0.0, 0.0)
        ),
        "Only the scalars move here. What about $w_1$?": lambda w1, o, p, g, eta: _step(
            w1, o, p, g, eta, 0 * g, p * (w1 @ g), o * (w1 @ g)
        ),
        "The sign: gradient descent goes against the gradient.": lambda w1, o, p, g, eta: _step(
            w1, o, p, g, -eta, o * p * g, p * (w1 @ g), o * (w1 @ g)
        ),
        r"A scalar's gradient pairs `g` with $w_1$, not with $w$.": lambda w1, o, p, g, eta: _step(
            w1, o, p, g, eta, o * p * g, o * p * p * (w1 @ g), o * o * p * (w1 @ g)
        ),
        r"This drops terms of order $\eta^2$: multiply the three new values.": (
            lambda w1, o, p, g, eta: (
                w1 * o * p - eta * (o * p) ** 2 * g - eta * (o**2 + p**2) * (w1 @ g) * w1
            )
        ),
        r"That is plain gradient descent on $w$. The step acts on $w_1$, $\omega_2$ and "
        r"$\omega_3$.": lambda w1, o, p, g, eta: w1 * o * p - eta * g,
    },
    hints=(
        r"The gradient in $w_1$ is $\omega_2\omega_3\, g$, in $\omega_2$ it is "
        r"$\omega_3\langle w_1, g\rangle$.",
        "Compute all three new values from the old ones, and only then multiply.",
    ),
    praise="That is a network of three layers with one hidden unit each, trained by hand.",
    probes=_AT,
    draw=_scalars,
)


def _coefficients_explain(f: Any) -> bool:
    """Return whether w - rho g - gamma w misses the exact step by a term of order eta squared."""
    gaps = []
    for eta in (1e-2, 1e-3):
        rho, gamma = f(_W1, 0.7, -1.3, _G, eta)
        guess = (1 - gamma) * 0.7 * -1.3 * _W1 - rho * _G
        gaps.append(np.abs(guess - _real_step(_W1, 0.7, -1.3, _G, eta)).max())
    return bool(gaps[1] < 0.02 * gaps[0] and gaps[0] < 1e-2)


def _gamma(w1: Any, o: float, p: float, g: Any, eta: float) -> float:
    return float(eta * (w1 @ g) * (o / p + p / o))


_COEFFICIENTS = Exercise(
    name="two_scalar_coefficients",
    notebook="01",
    kind="write",
    title="The coefficients of two scalars",
    prompt=(
        r"Again $w = w_1\,\omega_2\,\omega_3$. Up to terms of order $\eta^2$ the step is "
        r"$w \leftarrow (1 - \gamma)\,w - \rho\, g$. Return $\rho$ and $\gamma$, in this order."
    ),
    todo="rho, gamma",
    solution=(
        "def two_scalar_coefficients(w1, omega2, omega3, g, eta):\n"
        "    rho = eta * (omega2 * omega3) ** 2\n"
        "    gamma = eta * (w1 @ g) * (omega2 / omega3 + omega3 / omega2)\n    return rho, gamma"
    ),
    properties={
        "with a tenth of `eta` the formula's error is a hundredth": _coefficients_explain,
        "both are proportional to `eta`": lambda f: close(
            f(_W1, 0.7, -1.3, _G, 0.2), 2 * np.asarray(f(_W1, 0.7, -1.3, _G, 0.1))
        ),
        r"where `g` is orthogonal to $w_1$ nothing shrinks or grows: "
        r"$\gamma = 0$": lambda f: abs(f(_W1, 0.7, -1.3, _ACROSS, 0.1)[1]) < 1e-12,
        "exchanging the two scalars changes nothing": lambda f: close(
            f(_W1, 0.7, -1.3, _G, 0.3), f(_W1, -1.3, 0.7, _G, 0.3)
        ),
    },
    mistakes={
        r"Those are section 2's, for one scalar.": lambda w1, o, p, g, eta: (
            eta * o**2,
            eta * (w1 @ g) / o,
        ),
        r"$\rho$ needs the scalars twice: once in the gradient of $w_1$, once in the "
        r"product.": lambda w1, o, p, g, eta: (eta * o * p, _gamma(w1, o, p, g, eta)),
        r"$\gamma$ has two terms, since both scalars move.": lambda w1, o, p, g, eta: (
            eta * (o * p) ** 2,
            eta * (w1 @ g) * p / o,
        ),
        r"$\gamma$ multiplies $w$, and $w_1 = w/(\omega_2\omega_3)$: something must be "
        r"divided.": lambda w1, o, p, g, eta: (
            eta * (o * p) ** 2,
            eta * (w1 @ g) * (o**2 + p**2),
        ),
        r"In $\gamma$ each scalar is divided by the **other**: moving $\omega_2$ by "
        r"$\omega_3\langle w_1, g\rangle$ changes $w$ by a fraction of it.": (
            lambda w1, o, p, g, eta: (eta * (o * p) ** 2, eta * (w1 @ g) * (1 / o + 1 / p))
        ),
        r"Sign of $\gamma$: the formula already has "
        r"$1 - \gamma$.": lambda w1, o, p, g, eta: (eta * (o * p) ** 2, -_gamma(w1, o, p, g, eta)),
        r"The order: $\rho$ first.": lambda w1, o, p, g, eta: (
            _gamma(w1, o, p, g, eta),
            eta * (o * p) ** 2,
        ),
        "Both coefficients carry the learning rate `eta`.": lambda w1, o, p, g, eta: (
            (o * p) ** 2,
            _gamma(w1, o, p, g, 1.0),
        ),
        r"The sign of $\rho$: the formula already has "
        r"$-\rho\,g$.": lambda w1, o, p, g, eta: (-eta * (o * p) ** 2, _gamma(w1, o, p, g, eta)),
    },
    hints=(
        r"Multiply out: $(\omega_2 - \eta\,\omega_3\langle w_1, g\rangle)$ "
        r"$(\omega_3 - \eta\,\omega_2\langle w_1, g\rangle)$ $(w_1 - \eta\,\omega_2\omega_3\, g)$. "
        r"Keep the terms with a single $\eta$.",
        r"Two of them are multiples of $w_1$. Write $w_1$ as $w/(\omega_2\omega_3)$.",
    ),
    praise=(
        r"Take $\omega_2 = \omega_3 = \|w_1\|$: then $\rho = \eta\|w\|^{4/3}$, and $\gamma w$ is "
        r"$\rho$ times **twice** the projection of $g$ onto $w$. One scalar gave it once. The next "
        r"lesson does this for every depth."
    ),
    probes=_AT,
    draw=_scalars,
)

_GAMMA = np.array([-0.1, -0.3, 0.2, -0.4, 0.5])


def _unrolled(f: Any) -> bool:
    """Return whether the start's weights take away from w(0) what the recursion does."""
    w = past = 3.0
    for t in range(5):
        w, past = (1 - _GAMMA[t]) * w, past - 3.0 * f(_GAMMA, t)
        if abs(w - past) > 1e-9:
            return False
    return True


def _start(first: int, last: int, *, head: bool = True, sign: float = 1.0) -> Any:
    def nu(gamma: Any, t: int) -> float:
        return float((gamma[t] if head else 1.0) * np.prod(1 - sign * gamma[first : t + last]))

    return nu


_START = Exercise(
    name="start_weight",
    notebook="01",
    kind="write",
    title="The push of the start",
    prompt=(
        r"Section 3 took $w(0) \approx 0$. Unroll $w(t+1) = (1-\gamma_t)\,w(t) - \rho_t g_t$ from "
        r"any $w(0)$: $w(t+1) = w(t) - \rho_t g_t - \sum_{\tau<t} \mu_{t,\tau}\, g_\tau - "
        r"\nu_t\, w(0)$. Return $\nu_t$; `gamma` is an array that begins with $\gamma_0$."
    ),
    solution=("def start_weight(gamma, t):\n    return gamma[t] * np.prod(1 - gamma[:t])"),
    properties={
        r"in the first update it is $\gamma_0$": lambda f: close(f(_GAMMA, 0), -0.1),
        "without gradients the five updates do what the recursion does": _unrolled,
        r"while the scalar grows ($\gamma < 0$) it is negative: the start pushes on": (
            lambda f: all(f(-np.abs(_GAMMA), t) < 0 for t in range(5))
        ),
    },
    mistakes={
        r"The sign: the formula already has $-\nu_t\,w(0)$.": lambda gamma, t: (
            -_start(0, 0)(gamma, t)
        ),
        r"Update $t$ is the one being written: "
        r"its factor $1-\gamma_t$ is not in the product.": _start(0, 1),
        r"That is how much of $w(0)$ is left in $w(t)$. Only $\gamma_t$ of it moves now.": _start(
            0, 0, head=False
        ),
        r"The start is faded by the very first update, too: $1-\gamma_0$.": _start(1, 0),
        r"The start is faded by all updates before $t$, also by the last of them.": (
            lambda gamma, t: gamma[t] * np.prod(1 - gamma[: max(t - 1, 0)])
        ),
        r"The past fades by $1-\gamma_s$, with a minus.": _start(0, 0, sign=-1.0),
        "Factors of successive steps multiply; you added them.": lambda gamma, t: (
            gamma[t] * np.sum(1 - gamma[:t])
        ),
        r"The fading is missing: what have updates $0$ to $t-1$ made of $w(0)$?": (
            lambda gamma, t: gamma[t]
        ),
    },
    hints=(
        r"How much of $w(0)$ is left in $w(t)$? One factor for each update before.",
        r"$\prod_{s=0}^{t-1}(1-\gamma_s)$; update $t$ takes $\gamma_t$ of that away.",
    ),
    praise=(
        r"Since $1-\gamma_s = \omega_2(s+1)/\omega_2(s)$, all of them together turn $w(0)$ into "
        r"$w(0)\,\omega_2(t)/\omega_2(0)$: what section 4's path from gradients alone lacks."
    ),
    probes=((_GAMMA, 3), (_GAMMA, 4), (_GAMMA, 0)),
    draw=lambda rng: (rng.uniform(-1.5, 1.5, 8), int(rng.integers(0, 8))),
)


@cache
def _scalar_of(w1: float, omega2: float) -> tuple[float, ...]:
    """Return the scalar before each of 7 updates, on (w - 1)^2 / 2 at rate 0.1."""
    loss = QuadraticLoss([[1.0]], [1.0])
    return tuple(run_warm_up(loss, [w1], omega2, learning_rate=0.1, steps=6).omega2)


def _first_and_newest(start: Any) -> tuple[float, float]:
    """Return the sizes of mu(5, 0) and mu(5, 4)."""
    scalar = np.array(_scalar_of(*start))
    slopes = -np.diff(scalar) / 0.1
    mu = np.abs(warm_up_coefficients(scalar[:-1], slopes, 0.1).mu[5])
    return float(mu[0]), float(mu[4])


def _two_numbers(answer: Any) -> tuple[float, float]:
    w1, omega2 = reals(answer).tolist()
    if not max(abs(w1), abs(omega2)) <= 2:
        raise ValueError
    return w1, omega2


_OLDER = Exercise(
    name="older_gradient",
    notebook="01",
    kind="find a counterexample",
    title="Does the past fade?",
    prompt=(
        r"“The older a gradient, the less it pushes.” Find a counterexample on $L(w) = (w-1)^2/2$ "
        r"with $w = w_1\omega_2$, two numbers: a start at which, at rate 0.1, the **first** "
        r"gradient weighs more than the newest one, $|\mu_{5,0}| > |\mu_{5,4}|$."
    ),
    todo="w1, omega2: two numbers between -2 and 2",
    solution="older_gradient = 2.0, 1.0",
    properties={
        "the scalar is never 0": lambda start: np.all(_scalar_of(*start)),
        r"$|\mu_{5,0}| > |\mu_{5,4}|$, by `oe.warm_up_coefficients`": lambda start: (
            _first_and_newest(start)[0] > (1 + 1e-9) * _first_and_newest(start)[1]
        ),
    },
    mistakes={
        r"At $w_1 = \omega_2 = 0$ both gradients are 0, and nothing ever moves.": Mistake(
            (0.0, 0.0), lambda start: not any(start)
        ),
        r"$\gamma$ divides by the scalar: it must not be 0.": Mistake(
            (1.0, 0.0), lambda start: start[1] == 0
        ),
        "You start at the minimum: no gradient, no push.": Mistake(
            (0.5, 2.0), lambda start: abs(start[0] * start[1] - 1) < 1e-12
        ),
        r"This $w$ first has to change its sign, and the scalar grows afterwards: the newest "
        r"gradient weighs more. When is the scalar large early, and small late?": Mistake(
            (-2.0, 0.1),
            lambda start: (
                start[0] * start[1] < 0
                and abs(_scalar_of(*start)[6]) > abs(_scalar_of(*start)[0])
                and np.less(*_first_and_newest(start))
            ),
        ),
        "Here the scalar grows, and the newest gradient weighs more. When is the scalar large "
        "early, and small late?": Mistake(
            (0.1, 0.1),
            lambda start: (
                abs(_scalar_of(*start)[6]) > abs(_scalar_of(*start)[0])
                and np.less(*_first_and_newest(start))
            ),
        ),
    },
    hints=(
        r"Section 6: a gradient's weight goes with $\rho_\tau/\omega_2(\tau+1)$, about "
        r"$\eta\,\omega_2(\tau)$.",
        "Let the scalar shrink: start with $w$ beyond the minimum.",
    ),
    praise=lambda start: (
        r"Age does not enter: the weight of $g_\tau$ goes with $\rho_\tau/\omega_2(\tau+1)$, here "
        + " and ".join(
            rf"${_scalar_of(*start)[tau] ** 2 / _scalar_of(*start)[tau + 1]:.3f}\,\eta$ for "
            rf"$\tau={tau}$"
            for tau in (0, 4)
        )
        + "."
    ),
    returns=Form("two numbers between -2 and 2: `w1, omega2`", _two_numbers),
)


@cache
def _rebuild_error(eta: float) -> float:
    """Return the error of a run of 10 steps that is rebuilt from past gradients."""
    loss = QuadraticLoss(np.eye(2), [1.0, 0.3])
    run = run_warm_up(loss, [0.6, -0.4], 0.8, learning_rate=eta, steps=10)
    memory = warm_up_coefficients(run.omega2[:-1], run.d_omega2, eta)
    rebuilt = rebuild_from_gradients(memory, run.gradients, start=run.points[0])
    return float(np.abs(rebuilt[-1] - run.points[-1]).max())


_ORDER = Exercise(
    name="steps_kept",
    notebook="01",
    kind="predict",
    title="How good is the rebuild?",
    prompt=(
        r"Section 4 made $\eta$ ten times smaller and took ten times **more** steps: the error of "
        r"the rebuilt path fell by 10. Now make a small $\eta$ ten times smaller and keep the "
        r"**same** few steps, from a start that is not near zero. By what factor does the error at "
        r"the end fall?"
    ),
    solution="steps_kept = 100",
    properties={
        "the ratio of two measured errors": lambda guess: close(
            guess, _rebuild_error(1e-3) / _rebuild_error(1e-4), 0.25
        ),
    },
    mistakes={
        "That was with ten times as many steps. Now they are as many as before.": 10,
        r"It does fall: each step's error has a factor $\eta^2$.": 1,
        "It falls, it does not grow. By what factor is the error now **smaller**?": Mistake(
            0.01, lambda guess: 0 < guess < 1
        ),
        r"Count again: order $\eta^2$ per step, and the number of steps stays.": 1000,
        r"The error of a step is of order $\eta^2$, not $\sqrt\eta$ or $\eta^{3/2}$.": Mistake(
            31.6, lambda guess: 2.5 < guess < 4 or 25 < guess < 40
        ),
    },
    hints=("Error per step, times number of steps.",),
    praise=r"$\eta^2$ per step. Over a fixed time the steps are $1/\eta$ as many, which is why it "
    r"was 10 there.",
)

EXERCISES = (_STEP, _COEFFICIENTS, _START, _OLDER, _ORDER)
