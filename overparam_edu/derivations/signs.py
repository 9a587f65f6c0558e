"""The signs that SymPy lacks, and sums and products as a lecturer writes them.

SymPy writes ``W^T W`` and ``[W W^T]^{1/3}`` but has no sign for the loss of a matrix, for a time
derivative of a matrix or for the stacking of its columns. What they mean stands in `values`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp


class Loss(sp.Expr):  # type: ignore[misc]
    """The loss L of a matrix or vector: any differentiable function of its entries."""

    def _latex(self, printer: Any) -> str:
        return rf"L\left({printer._print(self.args[0])}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"L({printer._print(self.args[0])})"


class Grad(sp.MatrixExpr):  # type: ignore[misc]
    """The matrix of derivatives of a number by each entry of a matrix: dL/dX."""

    shape = property(lambda self: self.args[1].shape)

    def _latex(self, printer: Any, **_: Any) -> str:
        value, by = (printer._print(part) for part in self.args)
        if self.args[0].is_Add:
            value = rf"\left({value}\right)"
        return rf"\frac{{\partial}}{{\partial {by}}} {value}"

    def _sympystr(self, printer: Any) -> str:
        value, by = (printer._print(part) for part in self.args)
        return f"d({value})/d{by}" if self.args[0].is_Add else f"d{value}/d{by}"


class Rate(sp.MatrixExpr):  # type: ignore[misc]
    """The time derivative of a matrix along the gradient flow: dX/dt."""

    shape = property(lambda self: self.args[0].shape)

    def _latex(self, printer: Any, **_: Any) -> str:
        inside = printer._print(self.args[0])
        if isinstance(self.args[0], sp.MatrixSymbol):
            return rf"\dot{{{inside}}}"
        return rf"\frac{{d}}{{dt}}\left({inside}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"d/dt({printer._print(self.args[0])})"


class Vec(sp.MatrixExpr):  # type: ignore[misc]
    """The columns of a matrix stacked into one long vector: vec(X)."""

    shape = property(lambda self: (self.args[0].rows * self.args[0].cols, sp.Integer(1)))

    def _latex(self, printer: Any, **_: Any) -> str:
        return rf"\operatorname{{vec}}\left({printer._print(self.args[0])}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"vec({printer._print(self.args[0])})"


class Norm(sp.Expr):  # type: ignore[misc]
    """The square root of the sum of the squared entries: ||X||."""

    is_commutative = True
    is_extended_nonnegative = True

    def _latex(self, printer: Any, exp: Any = None) -> str:
        text = rf"\left\lVert {printer._print(self.args[0])} \right\rVert"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        return f"||{printer._print(self.args[0])}||"


class Inner(sp.Expr):  # type: ignore[misc]
    """The sum of the products of matching entries: <X, Y>."""

    is_commutative = True

    def _latex(self, printer: Any, exp: Any = None) -> str:
        left, right = (printer._print(part) for part in self.args)
        text = rf"\left\langle {left}, {right} \right\rangle"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        left, right = (printer._print(part) for part in self.args)
        return f"<{left}, {right}>"


def plus(*terms: Any) -> Any:
    """Return the sum of `terms` as a lecturer writes it: in this order, nothing collected."""
    return (sp.MatAdd if terms[0].is_Matrix else sp.Add)(*terms, evaluate=False)


def times(*factors: Any) -> Any:
    """Return the product of `factors` as a lecturer writes it: numbers first, powers not merged."""
    return factors[0] if len(factors) == 1 else sp.MatMul(*factors, evaluate=False)


def minus(*factors: Any) -> Any:
    """Return minus the product of `factors`, as `times` writes it."""
    return times(sp.Integer(-1), *factors)


def over(top: Any, bottom: Any) -> Any:
    """Return a fraction that keeps its denominator: ``2 / x^(p-2)``, not ``2 x^(2-p)``."""
    return sp.Mul(top, sp.Pow(bottom, -1, evaluate=False), evaluate=False)


def equal(left: Any, right: Any) -> Any:
    """Return an equation as it is written: judging it is what `Derivation.verify` is for."""
    return sp.Eq(left, right, evaluate=False)
