"""Right answers in unusual form: notebook 09."""

from __future__ import annotations

import numpy as np


def curl_of_the_jacobian(field, w, h):
    J = np.array([(field(w + n) - field(w - n)) / (2 * h) for n in h * np.eye(2)]).T
    return J[1, 0] - J[0, 1]


def curl_in_place(field, w, h):
    w[0] += h
    right = field(w)[1]
    w[0] -= 2 * h
    left = field(w)[1]
    w += [h, h]
    up = field(w)[0]
    w[1] -= 2 * h
    down = field(w)[0]
    return (right - left - up + down) / (2 * h)


def curl_with_helper(field, w, h):
    def slope(i, j):
        e = np.zeros(2)
        e[i] = h
        return (field(w + e)[j] - field(w - e)[j]) / h / 2

    return slope(0, 1) - slope(1, 0)


def curl_of_work(field, w, h):
    e1, e2 = np.eye(2)
    return (field(w + h * e1) - field(w - h * e1)) @ e2 / (2 * h) - (
        field(w + h * e2) - field(w - h * e2)
    ) @ e1 / (2 * h)


def curl_by_axis(field, w, h):
    total = 0.0
    for axis, sign in ((0, 1), (1, -1)):
        for side in (h, -h):
            at = w.copy()
            at[axis] += side
            total += sign * field(at)[1 - axis] / (2 * side)
    return total


RIGHT = {
    "numerical_curl": [
        curl_of_the_jacobian,
        curl_in_place,
        curl_with_helper,
        curl_of_work,
        curl_by_axis,
        lambda f, w, h: (
            (f(np.add(w, [h, 0]))[1] - f(w - [h, 0])[1]) / (2 * h)
            - (f(np.add(w, [0, h]))[0] - f(w - [0, h])[0]) / (2 * h)
        ),
        lambda f, w, h: np.array(curl_of_the_jacobian(f, w, h)),
        lambda f, w, h: np.float64(-curl_of_the_jacobian(f, w, -h) * -1),
        lambda f, w, h: curl_of_the_jacobian(lambda v: np.asarray(f(v)) + 3, w, h),
        lambda f, w, h: (
            np.trace(np.array([[0, 1], [-1, 0]]) @ [f(w - n) - f(w + n) for n in h * np.eye(2)])
            / (2 * h)
        ),
    ],
    "only_at_two": [
        "w1 + (w1^2 + w2^2)^2",
        "w1+(w1**2+w2**2)**2",
        "w1 - 2*w2 + exp(w1^2 + w2^2)",
        "w1^2 + w2^2 - 3*w1 + (w1^2 + w2^2)^3",
        "w2 + log(1 + w1^2 + w2^2)",
        "|w1| + |w2|",
        "sqrt(w1^2 + 2*w2^2)",
        "(w1^4 + w2^4)^(1/4)",
        "w1 + sqrt(w1^2 + w2^2)",
        "w1^2/sqrt(w1^2 + w2^2)",
        " ( w1^2 + w2^2 )^2 + w1/3 + w2 + 7 ",
        "w1 + cos(w1^2 + w2^2)",
    ],
    "faster_at_two": [
        "(w1 - 1)^4 + (w1 - w2)^2 / 10",
        "(w1-1)**4+(w1-w2)**2/10",
        "(w1 - 1)^4 + (w1 - w2)^4",
        "(w1 - 1)^4 + (w1 - w2)^2",
        "(w2 - 1)^4 + (w1 - w2)^2 / 10",
        "3*(w1 - 1)^4 + 0.3*(w1 - w2)^2 - 5",
        "(w1-1)^4 + (w2-1)^4/100 + (w1-w2)^4",
        "cosh(4*(w1 - 1)) + (w2 - 1)^2*(1 + w1^2)",
        "|w1 - 1|^4 + |w1 - w2|^2 / 10",
        "(w1 - 1)^4 + w1^2/10 - w1*w2/5 + w2^2/10",
        "exp((w1 - 1)^4 + (w1 - w2)^2 / 10)",
    ],
}
