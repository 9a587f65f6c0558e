"""A loss that the user writes down: text in w1, w2, ..., parsed without running any of it."""

from __future__ import annotations

import ast
import cmath
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from sympy.printing.numpy import NumPyPrinter

from overparam_edu.checks import Array, brief, whole_number
from overparam_edu.dynamics.losses import Loss


def _modulus(x: sp.Expr) -> sp.Expr:
    """Return |x| of a real x, also where SymPy fears that it is not, as with x = sqrt(w1)."""
    size = sp.Abs(x)
    if not size.has(sp.re, sp.im):
        return size
    return size.replace(sp.im, lambda _: sp.Integer(0)).replace(sp.re, lambda part: part)


FUNCTIONS = {
    "abs": _modulus,
    "sqrt": sp.sqrt,
    "exp": sp.exp,
    "log": sp.log,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
}
CONSTANTS = {"pi": sp.pi, "e": sp.E}
VARIABLES = tuple(sp.Symbol(f"w{i}", real=True) for i in range(1, 10))
# Bounds that no loss of a lecture comes near, and that keep every step below short.
_CHARACTERS, _LEVELS, _OPERATIONS, _POWER, _DIGITS, _SIZE = 2_000, 40, 150, 100, 30, 1e60

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>\*\*|[-+*/^()|]))"
)
_ALLOWED = "numbers, w1 to w9, pi, e, + - * / ^ ** ( ) |.| and the functions " + ", ".join(
    FUNCTIONS
)


class _Printer(NumPyPrinter):  # type: ignore[misc]
    """Writes whole numbers that NumPy has no integers for as floats."""

    def _print_Integer(self, number: Any) -> str:
        return str(number) if abs(number) < 2**53 else repr(float(number))


class _Modulus(sp.Function):  # type: ignore[misc]
    """|x| of a real x, whose derivative SymPy would write with real and imaginary parts."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.sign(self.args[0])


class _Sign(sp.Function):  # type: ignore[misc]
    """The sign of a real x, which has slope 0 wherever it has one."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class SymbolicLoss(Loss):
    r"""A loss of your own, as text or as a SymPy expression in ``w1``, ``w2``, ... ``w9``.

    Parameters
    ----------
    expression : str or sympy expression
        Text may hold numbers, ``w1`` to ``w9``, ``pi``, ``e``, ``+ - * / ^ **``, parentheses,
        ``|.|`` and abs, sqrt, exp, log, sin, cos, tan, sinh, cosh, tanh. Decimals are taken as
        exact fractions.
    dimension : int, optional
        How many entries ``w`` has, 2 to 9; if not given, as many as the expression names, at
        least 2.

    Attributes
    ----------
    expression : sympy expression
        What was parsed.
    variables : tuple of Symbol
        ``w1``, ..., real.
    shape : tuple of int
        ``(d,)``.

    Raises
    ------
    TypeError
        If `expression` is neither text nor SymPy.
    ValueError
        If it holds anything else, is too long, too deeply nested or too large, is nowhere a real
        number, or names a variable beyond `dimension`.

    Notes
    -----
    Text is never evaluated: a list of allowed words and signs comes first, then a walk over the
    syntax tree with a list of allowed nodes. Where the loss has a pole or is not a real number,
    `value` and `gradient` give infinity or NaN, without a warning.

    Examples
    --------
    >>> loss = SymbolicLoss("(w1 - 1)^4/4 + (w2 - 0.1)^4/4")
    >>> loss.expression
    (w1 - 1)**4/4 + (w2 - 1/10)**4/4
    >>> loss.gradient([0.0, 0.0]).round(4)
    array([-1.   , -0.001])
    """

    def __init__(self, expression: str | sp.Expr, *, dimension: int | None = None) -> None:
        if isinstance(expression, str):
            self.expression = parse(expression)
        elif isinstance(expression, sp.Expr):
            self.expression = _checked_tree(expression)
        else:
            raise TypeError(
                f"expression must be text or a SymPy expression; got {brief(expression)}"
            )
        named = [i + 1 for i, w in enumerate(VARIABLES) if self.expression.has(w)]
        largest = max([2, *named])
        d = largest if dimension is None else whole_number("dimension", dimension, lower=2)
        if not largest <= d <= len(VARIABLES):
            raise ValueError(
                f"dimension must be from {largest} to {len(VARIABLES)} here; got {dimension}"
            )
        self.variables, self.shape = VARIABLES[:d], (d,)
        self.slopes = tuple(derivative(self.expression, w) for w in self.variables)
        self._value_of = _function(self.variables, [self.expression])
        self._slopes_of = _function(self.variables, list(self.slopes))

    def __repr__(self) -> str:
        return f"SymbolicLoss({str(self.expression)!r})"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle L(w) = {sp.latex(self.expression)}$"

    def _value(self, w: Array) -> Array:
        value: Array = self._value_of(w)[..., 0]
        return value

    def _gradient(self, w: Array) -> Array:
        return self._slopes_of(w)


def derivative(expression: sp.Expr, by: sp.Symbol) -> sp.Expr:
    """Return the derivative of an expression of the grammar by one of its real variables."""
    plain = expression.replace(sp.Abs, _Modulus).replace(sp.sign, _Sign).diff(by)
    return plain.replace(_Modulus, _modulus).replace(_Sign, sp.sign)


def _function(variables: tuple[sp.Symbol, ...], parts: list[sp.Expr]) -> Callable[[Array], Array]:
    """Return a NumPy function of w (..., d) that gives the parts, (..., len(parts))."""
    printer = _Printer({"fully_qualified_modules": False, "inline": True})
    compiled = sp.lambdify(variables, parts, modules="numpy", printer=printer, cse=True)

    def function(w: Array) -> Array:
        result = np.empty((*w.shape[:-1], len(parts)))
        with np.errstate(all="ignore"):
            values = compiled(*np.moveaxis(w, -1, 0))
        for i, value in enumerate(values):
            result[..., i] = np.nan if np.iscomplexobj(value) else value
        return result

    return function


def _checked_tree(expression: sp.Expr) -> sp.Expr:
    """Return a SymPy expression in the real variables, after making sure of its parts."""
    functions = (f for f in (sp.Abs, *FUNCTIONS.values()) if isinstance(f, type))
    heads = (sp.Add, sp.Mul, sp.Pow, sp.Rational, sp.Float, type(sp.pi), type(sp.E), *functions)
    names = {str(w): w for w in VARIABLES}
    for part in sp.preorder_traversal(expression):
        known = str(part) in names if isinstance(part, sp.Symbol) else isinstance(part, heads)
        if not known:
            raise ValueError(f"expression may hold {_ALLOWED}; got {brief(part)}")
    real = expression.xreplace({s: names[str(s)] for s in expression.free_symbols})
    exact = real.xreplace({x: sp.Rational(str(x)) for x in real.atoms(sp.Float)})
    return _bounded(exact, str(expression))


def _bounded(expression: sp.Expr, source: str) -> sp.Expr:
    """Return `expression`, or say that it is not real, or too large for what comes after."""
    if expression.has(sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise ValueError(f"expression must be a finite real number; got {brief(source)}")
    for power in expression.atoms(sp.Pow):
        if power.exp.is_Number and abs(power.exp) > _POWER:
            raise ValueError(f"expression has a power above {_POWER}; got {brief(source)}")
    if sp.count_ops(expression) > _OPERATIONS:
        raise ValueError(f"expression has more than {_OPERATIONS} operations; got {brief(source)}")
    return expression


def parse(text: str) -> sp.Expr:
    """Return the SymPy expression, in real variables, that a text of the grammar stands for."""
    if len(text) > _CHARACTERS:
        raise ValueError(
            f"expression may have {_CHARACTERS} characters; got {len(text)}: {text[:20]!r}..."
        )
    spelled = _spelled(text)
    try:
        tree = ast.parse(spelled, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(
            f"expression is not complete, or nests too deep; got {brief(text)}"
        ) from None
    return _bounded(_Reader(spelled).read(tree)[0], text)


def _spelled(text: str) -> str:
    """Return `text` in Python's spelling, after making sure of every word and sign in it."""
    parts: list[str] = []
    at, bars, after_operand, word = 0, 0, False, ""
    text = text.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"expression may hold {_ALLOWED}; got {text[at : at + 20].strip()!r}")
        at, kind, before, word = token.end(), token.lastgroup, word, token[0].strip()
        opens = word == "(" or kind != "sign" or (word == "|" and not after_operand)
        if kind == "name" and word not in {*FUNCTIONS, *CONSTANTS, *map(str, VARIABLES)}:
            raise ValueError(f"expression may hold {_ALLOWED}; got {word!r}")
        if kind == "number":
            _check_number(word)
        if opens and after_operand and not (word == "(" and before in FUNCTIONS):
            raise ValueError(f"expression needs a sign between {before!r} and {word!r}")
        if word == "|":
            bars += 1 if opens else -1
            if bars < 0:
                raise ValueError("expression closes a bar | that was not opened")
            parts.append("abs(" if opens else ")")
        else:
            parts.append("**" if word == "^" else word)
        after_operand = kind != "sign" or word == ")" or (word == "|" and not opens)
    return "".join(parts)


def _check_number(word: str) -> None:
    digits, _, power = word.lower().partition("e")
    if len(digits) > _DIGITS or len(power) > 3 or abs(int(power or 0)) > _DIGITS:
        raise ValueError(
            f"expression may have numbers of {_DIGITS} digits and powers of ten up to {_DIGITS}; "
            f"got {brief(word)}"
        )


class _Reader:
    """Turns a syntax tree into SymPy.

    Beside each part without variables it keeps the number that this is worth, so that SymPy is
    never handed anything too large or complex.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def read(self, node: ast.expr, level: int = 0) -> tuple[Any, complex | None]:
        if level > _LEVELS:
            raise ValueError(f"expression nests more than {_LEVELS} levels deep")
        level += 1
        match node:
            case ast.Constant():
                exact = sp.Rational(self._text(node))
                return exact, complex(exact)
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name], complex(CONSTANTS[name])
            case ast.Name(id=name) if name not in FUNCTIONS:
                return VARIABLES[int(name[1:]) - 1], None
            case ast.UnaryOp(op=ast.UAdd()):
                return self.read(node.operand, level)
            case ast.UnaryOp(op=ast.USub()):
                part, worth = self.read(node.operand, level)
                return -part, None if worth is None else -worth
            case ast.BinOp(op=ast.Pow()):
                return self._power(node, level)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._chain(node, ast.Add, ast.Sub, level)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self._chain(node, ast.Mult, ast.Div, level)
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in FUNCTIONS:
                part, worth = self.read(inner, level)
                if worth is not None:
                    if name == "exp":
                        self._worth(node, cmath.exp, -worth)  # as hard if tiny as if large
                    numeric = abs if name == "abs" else getattr(cmath, name)
                    worth = self._worth(node, numeric, worth)
                return FUNCTIONS[name](part), worth
        raise ValueError(f"expression may hold {_ALLOWED}; got {brief(self._text(node))}")

    def _text(self, node: ast.expr) -> str:
        return self.source[node.col_offset : node.end_col_offset]

    def _worth(self, node: ast.expr, compute: Callable[..., complex], *given: complex) -> complex:
        """Return a number without variables, or say that it is not a real one of modest size."""
        try:
            worth = complex(compute(*given))
            size = abs(worth)
        except (ArithmeticError, ValueError):
            worth, size = complex(0), cmath.inf
        if not size <= _SIZE or abs(worth.imag) > 1e-9 * size:
            raise ValueError(
                f"expression must be a finite real number, at most {_SIZE:g} in size; "
                f"got {brief(self._text(node))}"
            )
        return complex(worth.real)

    def _chain(self, node: ast.expr, plain: Any, inverse: Any, level: int) -> tuple[Any, Any]:
        """Read ``a + b - c ...`` or ``a * b / c ...`` in one go, however long it is."""
        whole, parts = node, []
        while isinstance(node, ast.BinOp) and isinstance(node.op, (plain, inverse)):
            parts.append((isinstance(node.op, inverse), *self.read(node.right, level)))
            node = node.left
        parts.append((False, *self.read(node, level)))
        product = plain is ast.Mult
        exact, worth = [], complex(product)
        for inverted, part, number in reversed(parts):
            if inverted and product and part == 0:
                raise ValueError(f"expression divides by 0 in {brief(self._text(whole))}")
            exact.append((1 / part if product else -part) if inverted else part)
            if number is not None:
                turned = (1 / number if product else -number) if inverted else number
                worth = worth * turned if product else worth + turned
                # Of the numbers alone: SymPy collects them.
                worth = self._worth(whole, complex, worth)
        known = all(number is not None for _, _, number in parts)
        return (sp.Mul if product else sp.Add)(*exact), worth if known else None

    def _power(self, node: ast.BinOp, level: int) -> tuple[Any, complex | None]:
        base, below = self.read(node.left, level)
        power, above = self.read(node.right, level)
        if above is not None and abs(above) > _POWER:
            raise ValueError(
                f"expression may have powers up to {_POWER}; got {brief(self._text(node))}"
            )
        worth = None
        if below is not None and above is not None:
            worth = self._worth(node, pow, below, above)
            if below != 0:
                self._worth(node, pow, below, -above)  # as long if tiny as if large
        return base**power, worth
