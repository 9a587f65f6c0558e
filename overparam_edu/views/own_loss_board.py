"""What `find_potential` says of a loss at each depth, in words and mathematics, as HTML."""

from __future__ import annotations

import html
from fractions import Fraction
from functools import lru_cache

import numpy as np
import sympy as sp

from overparam_edu.derivations.potential import Potential, find_potential
from overparam_edu.derivations.symbolic_loss import SymbolicLoss
from overparam_edu.views.typesetting import typeset

# A potential or a certificate, or why it could not be decided.
Answer = Potential | str
# A formula with more operations is not written out.
_LONG = 60


@lru_cache(maxsize=64)
def answers_at(text: str, depths: tuple[float, ...]) -> tuple[Answer, ...]:
    """Return for each depth the potential or the certificate, or why it can't be decided.

    Parameters
    ----------
    text : str
        The loss.
    depths : tuple of float

    Returns
    -------
    tuple of (Potential or str)
    """
    loss = SymbolicLoss(text)
    answers: list[Answer] = []
    for N in depths:
        try:
            answers.append(find_potential(loss, Fraction(float(N))))
        except ValueError as problem:
            answers.append(str(problem))
    return tuple(answers)


def board_of(depth: float, answer: Answer, work: float) -> str:
    """Return an answer in words and mathematics.

    Parameters
    ----------
    depth : float
    answer : Potential or str
        Whose text is escaped.
    work : float
        That of the field round the loop in the picture, if there is one.

    Returns
    -------
    str
        HTML.
    """
    if isinstance(answer, str):
        return _block(f"<b>Depth {depth:g}: not decided.</b> {html.escape(answer)}.")
    proof = answer.certificate
    if proof is None:
        head = "the field <i>F</i> is the gradient of a function"
        why = ", since <i>h</i> depends on the length of <i>w</i> alone"
        why += "." if answer.method == "symbolic" else f" (to {answer.method}, not proved)."
        if answer.depth == 1:
            return _block(f"<b>Depth 1: {head}</b>, the loss itself.")
        rows = [f"F = {_potential(answer.potential)}"]
        return _block(f"<b>Depth {depth:g}: {head}</b>{why}", [_h(answer)], rows)
    head, around = (
        "no function has <i>F</i> as its gradient",
        rf"\oint F \cdot dw = {_number(work)}",
    )
    rows = [rf"{around} \text{{ round the loop}}"]
    if np.isinf(proof.curl):
        why = "since <i>h</i> jumps along circles about 0, at a kink."
    else:
        why = "since <i>h</i> changes along circles about 0."
        at = ", ".join(sp.latex(sp.Rational(x)) for x in proof.point)
        curl = rf"\partial_1 F_2 - \partial_2 F_1 = {_number(proof.curl)} \text{{ at }}"
        rows.insert(0, rf"{curl} \left({at}\right)")
    return _block(f"<b>Depth {depth:g}: {head}</b>, {why}", [_h(answer)], rows)


_BELOW = r" \\ "
_ROW = "display: flex; flex-wrap: wrap; gap: 0 36px; align-items: center; font-size: 18px"


def _block(words: str, *blocks: list[str]) -> str:
    maths = [
        typeset(rf"\begin{{aligned}}{_BELOW.join(f'& {row}' for row in rows)}\end{{aligned}}")
        for rows in blocks
    ]
    return (
        f'<div style="font-size: 20px; min-height: 5.6em">{words}'
        f'<div style="{_ROW}">{"".join(maths)}</div></div>'
    )


def _h(answer: Potential) -> str:
    short = sp.count_ops(answer.h) <= _LONG
    return r"h = \langle w, g\rangle - \tfrac{2}{N} L" + (
        f" = {sp.latex(answer.h)}" if short else ""
    )


def _potential(potential: sp.Expr) -> str:
    if sp.count_ops(potential) > _LONG:
        return r"\nabla(\ldots), \text{ which find\_potential writes out}"
    return rf"\nabla\left({sp.latex(potential)}\right)"


def _number(value: float) -> str:
    """Return a number in LaTeX, to three digits."""
    mantissa, _, power = f"{value:.3g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa
