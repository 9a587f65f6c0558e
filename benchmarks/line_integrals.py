"""Line integrals: 1,000 loops of Theorem 2 on the talk's illustration.

10 depths x 10 inner x 10 outer radii, by one call of `line_integral`, and by `scipy.integrate.quad`
on each of the four pieces of each loop at the same tolerance, with the integrand in plain Python
floats, which is what quad calls fastest. They take turns, processor time is counted, and each piece
must agree to 1e-10 of the loop's largest, the sum with the closed form as well.
"""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
from rows import Row, timed
from scipy.integrate import quad

from overparam_edu import SeparableLp, line_integral

TARGETS, P, TOLERANCE = (1.0, 0.1), 4, 1e-12
DEPTHS, INNER, OUTER = (
    np.linspace(1.5, 8.0, 10),
    np.geomspace(0.01, 0.2, 10),
    np.linspace(0.3, 1.5, 10),
)
LOOPS = list(itertools.product(DEPTHS.tolist(), INNER.tolist(), OUTER.tolist()))
LARGEST, ROUNDS = 1e-10, 10


def one_call() -> tuple[np.ndarray, np.ndarray]:
    """Return the pieces' work (1000, 4) and the closed forms, by one call of the library."""
    loop = line_integral(
        SeparableLp(TARGETS, p=P),
        DEPTHS[:, None, None],
        INNER[:, None],
        OUTER,
        tolerance=TOLERANCE,
    )
    return loop.segments.reshape(-1, 4), loop.closed_form.reshape(-1)


def by_quad(depth: float, r: float, R: float) -> list[float]:
    """Return the four pieces' work of one loop, as a student would write it with SciPy."""
    (y1, y2), p, a, extra = TARGETS, P - 1, 1 - 1 / depth, depth - 1
    size = math.hypot(y1**p, y2**p)
    e1, e2 = y1**p / size * (-1) ** p, y2**p / size * (-1) ** p

    def work(w1: float, w2: float, v1: float, v2: float) -> float:
        g1, g2 = (w1 - y1) ** p, (w2 - y2) ** p
        square = w1 * w1 + w2 * w2
        along = extra * (w1 * g1 + w2 * g2) / square
        return square**a * ((g1 + along * w1) * v1 + (g2 + along * w2) * v2)

    def straight(t: float) -> float:
        return work(t * e1, t * e2, e1, e2)

    def arc(angle: float, radius: float) -> float:
        cos, sin = radius * math.cos(angle), radius * math.sin(angle)
        along, across = (cos * e1 - sin * e2, cos * e2 + sin * e1), (e1, e2)
        return work(*along, -sin * across[0] - cos * across[1], -sin * across[1] + cos * across[0])

    options = {
        "epsabs": 0,
        "epsrel": TOLERANCE,
        "full_output": True,
    }  # which does not warn of rounding
    return [
        quad(straight, -R, -r, **options)[0],
        quad(arc, math.pi, 0, args=(r,), **options)[0],
        quad(straight, r, R, **options)[0],
        quad(arc, 0, math.pi, args=(R,), **options)[0],
    ]


def agree(ours: np.ndarray, theirs: np.ndarray, pieces: np.ndarray) -> None:
    """Make sure that the difference is small beside the largest of the pieces."""
    difference = float((np.abs(ours - theirs) / np.abs(pieces).max(axis=-1)).max())
    assert difference <= LARGEST, f"results differ by {difference:.1e}"


def rows() -> list[Row]:
    pieces, closed = one_call()
    agree(pieces.sum(-1), closed, pieces)
    ours, theirs = [], []
    for turn in range(ROUNDS):
        ours += [timed(one_call)[0] for _ in range(3)]
        for index in range(turn, len(LOOPS), ROUNDS):
            spent, quads = timed(lambda index=index: np.array(by_quad(*LOOPS[index])))
            theirs.append(spent)
            for piece in range(4):
                agree(pieces[index, piece], quads[piece], pieces[index])
    what, mine = "1,000 loops by `line_integral`", statistics.median(ours)
    return [Row(what, mine, "s", "`scipy.integrate.quad`", sum(theirs), times=50)]
