"""The work round closed curves: closed forms, 30 digits from elsewhere, and what must be 0."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

from overparam_edu import (
    LinearLoss,
    LpRegression,
    QuadraticLoss,
    SeparableLp,
    curl,
    line_integral,
    walk,
    work,
)

DEPTHS = (1, 1.5, 2, 3, 8)
TALK = SeparableLp((1.0, 0.1), p=4)
STRETCHED = QuadraticLoss([[2.0, 0.3], [0.3, 0.7]], [1.0, 0.5])
TRIANGLE = np.array([[0.4, 0.1], [1.3, 0.3], [0.5, 1.1]])


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def size(loop):
    """Return the sum of the pieces' sizes: what rounding is relative to."""
    return np.abs(loop.segments).sum(axis=-1)


# --- the curve of Theorem 2 against its closed form ---


@pytest.mark.parametrize("dimension", [2, 5, 50])
@pytest.mark.parametrize("p", [2, 4, 6])
def test_quadrature_equals_the_closed_form_to_1e_12(p, dimension):
    radii = np.array([0.01, 0.1, 0.3])[:, None], np.array([0.5, 1.0, 3.0])
    for targets in (np.r_[1.0, 0.1, np.zeros(dimension - 2)], random(dimension, dimension)):
        loss = SeparableLp(targets, p=p)
        for N in DEPTHS:
            loop = line_integral(loss, N, *radii)
            if N == 1 or (N == 2 and p == 2):  # where it is 0
                assert np.all(np.abs(loop.closed_form) <= 1e-14 * size(loop))
                assert np.all(np.abs(loop.total) <= 1e-14 * size(loop))
            else:
                np.testing.assert_allclose(loop.total, loop.closed_form, rtol=1e-12)
            assert np.all(np.abs(loop.total - loop.closed_form) <= loop.error_estimate * 10)


def test_a_regression_has_the_closed_form_too():
    regression = LpRegression(random((20, 4)), random(20, 1), p=4, reduction="mean")
    loop = line_integral(regression, 3, 0.1, 0.5)
    assert loop.total == pytest.approx(float(loop.closed_form), rel=1e-12)


@pytest.mark.parametrize("N", [1, 1.25, 1.5, 2, 2.5, 3, 8, 1000])
def test_a_linear_loss_has_the_closed_form_of_the_paper(N):
    r, R, q = 0.2, 1.3, 3 - 2 / N
    slope = random(4)
    c = np.linalg.norm(slope)
    loop = line_integral(LinearLoss(slope), N, r, R)
    expected = 2 * c * (R**q - r**q) * (N - 1) * (N - 2) / (3 * N - 2)
    assert loop.total == pytest.approx(expected, rel=1e-12, abs=1e-14 * size(loop))
    straight = N * c * (R**q - r**q) / q
    pieces = [straight, 2 * c * r**q, straight, -2 * c * R**q]
    np.testing.assert_allclose(loop.segments, pieces, rtol=1e-13)


def test_the_arcs_see_no_projection_and_the_segments_see_it_n_times():
    r, R, e = 0.2, 1.0, -TALK.gradient([0, 0]) / -np.linalg.norm(TALK.gradient([0, 0]))
    one = line_integral(TALK, 1, r, R).segments
    for N in DEPTHS:
        segments = line_integral(TALK, N, r, R).segments
        for arc, radius, sign in ((1, r, 1), (3, R, -1)):
            gain = TALK.value(radius * e) - TALK.value(-radius * e)
            assert segments[arc] == pytest.approx(sign * radius ** (2 - 2 / N) * gain, rel=1e-13)
            assert segments[arc] == pytest.approx(radius ** (2 - 2 / N) * one[arc], rel=1e-13)
        t, weights = np.polynomial.legendre.leggauss(60)
        t, weights = r + (R - r) * (t + 1) / 2, weights * (R - r) / 2
        for segment, sign in ((0, -1), (2, 1)):
            slope = TALK.gradient(sign * t[:, None] * e) @ e
            expected = N * (t ** (2 - 2 / N) * slope) @ weights
            assert segments[segment] == pytest.approx(expected, rel=1e-12)


# --- against 30 digits ---


def field_in_mpmath(gradient, N):
    """Return Claim 2's direction as mpmath knows it, from the definition."""

    def field(w):
        g = gradient(w)
        square = mpmath.fsum(x * x for x in w)
        along = (N - 1) * mpmath.fdot(w, g) / square
        return [square ** (1 - 1 / N) * (a + along * x) for a, x in zip(g, w, strict=True)]

    return field


def gamma_in_mpmath(field, e, u, r, R):
    """Return the four pieces' work."""

    def straight(t):
        return mpmath.fdot(field([t * x for x in e]), e)

    def arc(radius):
        def at(s):
            cos, sin = mpmath.cos(s), mpmath.sin(s)
            w = [radius * (cos * x + sin * y) for x, y in zip(e, u, strict=True)]
            v = [radius * (-sin * x + cos * y) for x, y in zip(e, u, strict=True)]
            return mpmath.fdot(field(w), v)

        return at

    return [
        mpmath.quad(straight, [-R, -r]),
        mpmath.quad(arc(r), [mpmath.pi, mpmath.pi / 2, 0]),
        mpmath.quad(straight, [r, R]),
        mpmath.quad(arc(R), [0, mpmath.pi / 2, mpmath.pi]),
    ]


CASES = [
    *itertools.product((2, 4, 6), ("1.5", "3"), (2,)),
    *itertools.product((4,), ("1", "2", "2.5", "8"), (2,)),
    *itertools.product((2, 4, 6), ("3",), (5,)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("p", "depth", "dimension"), CASES)
def test_quadrature_equals_thirty_digits_of_mpmath(p, depth, dimension):
    targets = [1.0, 0.125] if dimension == 2 else [1.0, 0.125, -0.5, 0.75, 0.25]
    radii = (0.125, 1.25)  # numbers that are the same in two and in ten
    with mpmath.workdps(30):
        N, y = mpmath.mpf(depth), [mpmath.mpf(t) for t in targets]
        field = field_in_mpmath(
            lambda w: [(a - b) ** (p - 1) for a, b in zip(w, y, strict=True)], N
        )
        slope = [-(t ** (p - 1)) for t in y]
        norm = mpmath.norm(slope)
        e = [x / norm for x in slope]
        # A second direction at right angles: e with two entries turned, the rest left out.
        u = [-e[1], e[0], *([mpmath.mpf(0)] * (dimension - 2))]
        u = [x / mpmath.norm(u) for x in u]
        r, R = map(mpmath.mpf, radii)
        pieces = gamma_in_mpmath(field, e, u, r, R)
        total = float(mpmath.fsum(pieces)) if depth != "1" else 0.0
    plane = np.array(u, float)
    loop = line_integral(SeparableLp(targets, p=p), float(depth), *radii, plane=plane)
    np.testing.assert_allclose(loop.segments, [float(x) for x in pieces], rtol=1e-13)
    tiny = 1e-14 * size(loop)
    assert float(loop.total) == pytest.approx(total, rel=1e-12, abs=tiny if total == 0 else 0)
    assert float(loop.closed_form) == pytest.approx(total, rel=1e-12, abs=tiny)


# --- what must not matter, and what must be 0 ---


def test_many_loops_are_one_call():
    N = np.array([1.0, 2.5, 4.0])[:, None, None]
    r, R = np.array([0.05, 0.2])[:, None], np.array([0.5, 1.0, 1.5, 2.0])
    many = line_integral(TALK, N, r, R)
    assert many.segments.shape == (3, 2, 4, 4)
    shapes = [many.total.shape, many.closed_form.shape, many.error_estimate.shape]
    assert shapes == [(3, 2, 4)] * 3
    for at in itertools.product(range(3), range(2), range(4)):
        one = line_integral(TALK, N[at[0], 0, 0], r[at[1], 0], R[at[2]])
        np.testing.assert_allclose(many.segments[at], one.segments, rtol=1e-12)


def test_the_plane_bends_the_arcs_but_not_the_total():
    loss = SeparableLp(random(5), p=4)
    loops = [line_integral(loss, 3, 0.2, 1.0, plane=random(5, seed)) for seed in range(1, 6)]
    e = loss.gradient(np.zeros(5))
    loops.append(line_integral(loss, 3, 0.2, 1.0, plane=[e, random(5, 9)]))
    loops.append(line_integral(loss, 3, 0.2, 1.0, axis=7 * e))
    for loop in loops:
        np.testing.assert_allclose(loop.segments, loops[0].segments, rtol=1e-13)
    other_axis = line_integral(loss, 3, 0.2, 1.0, axis=np.eye(5)[0])
    assert other_axis.total == pytest.approx(float(other_axis.closed_form), rel=1e-12)
    assert abs(other_axis.total - loops[0].total) > 0.1


@pytest.mark.parametrize("loss", [TALK, STRETCHED, SeparableLp(random(5), p=6)])
def test_a_gradient_reads_zero(loss):
    loop = line_integral(loss, DEPTHS, 0.2, 1.0, control=True)
    assert np.all(np.abs(loop.total) <= 1e-14 * size(loop))
    assert np.all(loop.closed_form == 0)
    assert np.all(np.abs(loop.segments) > 1e-3)
    alone = line_integral(loss, 1, 0.2, 1.0)  # at depth 1 the field is the gradient
    np.testing.assert_allclose(alone.segments, loop.segments[0], rtol=1e-14)
    corners = random((6, loss.shape[0]))
    loop = work(loss, DEPTHS, corners, control=True)
    assert np.all(np.abs(loop.total) <= 1e-14 * size(loop))


def test_radial_losses_read_zero_at_every_depth():
    round_bowl = QuadraticLoss(np.eye(3))
    loop = line_integral(round_bowl, DEPTHS, 0.2, 1.0, axis=[1.0, 0.0, 0.0])
    assert np.all(np.abs(loop.total) <= 1e-14 * size(loop))
    loop = work(round_bowl, DEPTHS, random((5, 3)))
    assert np.all(np.abs(loop.total) <= 1e-14 * size(loop))


# --- the error estimate ---


@pytest.mark.parametrize("tolerance", [1.0, 1e-3, 1e-5])
def test_a_looser_tolerance_takes_fewer_nodes_and_says_how_far_off_it_is(tolerance):
    # p = 2.5 has a corner in its second derivative, on the way.
    loss = SeparableLp((1.0, 0.4), p=2.5)
    fine = line_integral(loss, [1.5, 3], 0.01, 3.0)
    loop = line_integral(loss, [1.5, 3], 0.01, 3.0, tolerance=tolerance)
    assert loop.nodes < fine.nodes == 640
    assert np.all(loop.error_estimate > 2 * fine.error_estimate)
    assert np.all(np.abs(loop.total - fine.total) <= 4 * loop.error_estimate)


def test_smooth_losses_need_few_nodes_and_reach_rounding():
    loop = line_integral(TALK, 3, 0.2, 1.0)
    assert loop.nodes <= 40
    assert loop.error_estimate < 1e-14 * size(loop)


def test_what_overflows_is_not_finite_and_no_warning():
    loss = SeparableLp((1.0, 0.1), p=200)
    assert not np.isfinite(line_integral(loss, 3, 0.2, 1e6).total)
    assert not np.isfinite(work(loss, 3, 1e6 * TRIANGLE).total)


# --- other curves ---


def gamma_as_a_function(r, R, e):
    across = np.array([-e[1], e[0]])

    def curve(t):
        piece = np.minimum((4 * t).astype(int), 3)
        s = 4 * t - piece
        radius = np.choose(piece, [R - (R - r) * s, r, r + (R - r) * s, R])
        angle = np.pi * np.choose(piece, [1, 1 - s, 0, s])
        return radius[:, None] * (np.cos(angle)[:, None] * e + np.sin(angle)[:, None] * across)

    return curve


def test_the_curve_of_theorem_2_given_as_a_function_does_the_same_work():
    slope = TALK.gradient([0.0, 0.0])
    curve = gamma_as_a_function(0.2, 1.0, slope / np.linalg.norm(slope))
    loop = work(TALK, DEPTHS, curve, breaks=(0.25, 0.5, 0.75))
    expected = line_integral(TALK, DEPTHS, 0.2, 1.0)
    np.testing.assert_allclose(loop.segments, expected.segments, rtol=1e-10)
    assert loop.closed_form is None


def test_a_polygon_equals_the_same_polygon_as_a_function():
    def sides(t):
        k = np.minimum((3 * t).astype(int), 2)
        start, stop = TRIANGLE[k], TRIANGLE[(k + 1) % 3]
        return start + (3 * t - k)[:, None] * (stop - start)

    loop = work(STRETCHED, DEPTHS, TRIANGLE)
    same = work(STRETCHED, DEPTHS, sides, breaks=(1 / 3, 2 / 3))
    np.testing.assert_allclose(loop.segments, same.segments, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("N", ["1.5", "2", "3"])
def test_a_polygon_equals_thirty_digits_of_mpmath(N):
    corners = [(0.0, 0.0), (1.25, 0.25), (0.5, 1.0), (-0.25, -0.125)]  # one edge ends at 0
    with mpmath.workdps(30):
        depth = mpmath.mpf(N)
        y = (mpmath.mpf("0.75"), mpmath.mpf("0.5"))
        field = field_in_mpmath(lambda w: [(a - b) ** 3 for a, b in zip(w, y, strict=True)], depth)
        exact = []
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
            dx, dy = mpmath.mpf(x1) - x0, mpmath.mpf(y1) - y0

            def at(t):
                return mpmath.fdot(field([x0 + t * dx, y0 + t * dy]), (dx, dy))  # noqa: B023

            exact.append(float(mpmath.quad(at, [0, mpmath.mpf(1) / 2, 1])))
    loop = work(SeparableLp((0.75, 0.5), p=4), float(N), corners)
    np.testing.assert_allclose(loop.segments, exact, rtol=1e-12)


def test_walking_backwards_pays_back():
    forth, back = (work(TALK, DEPTHS, corners) for corners in (TRIANGLE, TRIANGLE[::-1]))
    np.testing.assert_allclose(forth.total, -back.total, rtol=1e-12, atol=1e-15)
    there = work(TALK, DEPTHS, TRIANGLE[:2])  # there and back again
    assert np.all(np.abs(there.total) <= 1e-15 * size(there) * 10)


def test_two_polygons_with_a_side_in_common_add_up():
    square = np.array([[0.3, 0.2], [1.2, 0.1], [1.4, 1.0], [0.2, 0.8]])
    whole = work(TALK, DEPTHS, square).total
    parts = [work(TALK, DEPTHS, square[corners]).total for corners in ([0, 1, 2], [0, 2, 3])]
    np.testing.assert_allclose(whole, sum(parts), rtol=1e-12, atol=1e-15)


def test_an_edge_through_0_is_smooth_to_the_quadrature():
    loop = work(LinearLoss([1.0, 0.0]), 3, [[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert loop.segments[0] == pytest.approx(2 * 3 / (3 - 2 / 3), rel=1e-12)


# --- Green's theorem: the curl inside is the work round it ---


def test_the_curl_inside_the_curve_is_the_work_round_it():
    nodes, weights = np.polynomial.legendre.leggauss(40)
    r, R = 0.2, 1.0
    e = TALK.gradient([0.0, 0.0]) / np.linalg.norm(TALK.gradient([0.0, 0.0]))
    radius, angle = r + (R - r) * (nodes + 1) / 2, np.pi * (nodes + 1) / 2
    place = radius[:, None, None] * (
        np.cos(angle)[:, None] * e + np.sin(angle)[:, None] * [-e[1], e[0]]
    )
    area = np.outer(weights * radius * (R - r) / 2, weights * np.pi / 2)
    for N in DEPTHS:
        inside = (curl(TALK, N, place) * area).sum()
        expected = line_integral(TALK, N, r, R).total
        assert inside == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


# --- depth 2, the exception ---


def test_at_depth_2_linear_and_round_losses_have_no_work_on_any_polygon():
    polygons = [random((corners, 2), corners) for corners in (3, 4, 7)]
    for loss in (LinearLoss([0.3, -1.2]), SeparableLp((1.0, 0.1), p=2)):
        for corners in polygons:
            loop = work(loss, 2, corners)
            assert abs(loop.total) <= 1e-14 * size(loop)
            assert abs(work(loss, 2.5, corners).total) > 1e-3


def test_at_depth_2_the_work_is_the_difference_of_the_potential():
    # w -> ||w|| L(w) for a linear loss; and with lambda/6 ||w||^3 added for a round one.
    start, stop = np.array([0.3, -0.4]), np.array([1.5, 0.8])
    linear, bowl = LinearLoss([0.3, -1.2]), QuadraticLoss(2.0 * np.eye(2), [1.0, 0.1])

    def round_potential(w):
        height = bowl.value(w) - bowl.value(np.zeros(2))
        return np.linalg.norm(w) * height + 2.0 / 6 * np.linalg.norm(w) ** 3

    for loss, potential in (
        (linear, lambda w: np.linalg.norm(w) * linear.value(w)),
        (bowl, round_potential),
    ):
        gained = work(loss, 2, [start, stop]).segments[0]
        assert gained == pytest.approx(potential(stop) - potential(start), rel=1e-12)


def test_at_depth_2_a_stretched_bowl_hides_from_this_curve_only():
    loop = line_integral(STRETCHED, 2, [0.1, 0.2, 0.5], 1.0)
    assert np.all(np.abs(loop.total) <= 1e-14 * size(loop))
    assert abs(work(STRETCHED, 2, TRIANGLE).total) > 0.01
    assert abs(line_integral(TALK, 2, 0.2, 1.0).total) > 0.1  # the quartic does not hide


# --- the walk ---


def test_a_walk_comes_back_to_where_it_began_with_the_loops_work():
    loop, once = line_integral(TALK, DEPTHS, 0.2, 1.0), walk(TALK, DEPTHS, 0.2, 1.0, points=30)
    np.testing.assert_allclose(once.points[0], once.points[-1], atol=1e-15)
    corners = [0, 30, 60, 90, 120]
    assert once.work.shape == (len(DEPTHS), 121)
    np.testing.assert_allclose(np.diff(once.work[:, corners]), loop.segments, rtol=1e-12)
    np.testing.assert_allclose(
        once.arclength[corners], np.cumsum([0, 0.8, 0.2 * np.pi, 0.8, np.pi])
    )
    assert once.segment[corners].tolist() == [0, 0, 1, 2, 3]
    distance = np.linalg.norm(once.points, axis=1)
    np.testing.assert_allclose(distance[once.segment == 1], 0.2)
    np.testing.assert_allclose(distance[once.segment == 3], 1.0)


def test_a_walk_in_any_dimension_stays_in_its_plane():
    loss, plane = SeparableLp(random(7), p=4), random(7, 3)
    once = walk(loss, 3, 0.2, 1.0, points=10, plane=plane, control=True)
    assert np.linalg.matrix_rank(once.points, tol=1e-12) == 2
    values = loss.value(once.points)
    np.testing.assert_allclose(once.work, values - values[0], atol=1e-12 * values.max())
