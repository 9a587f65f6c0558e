"""A loss that the user writes down: text in w1, w2, ..., parsed without running any of it."""

from __future__ import annotations

import ast
import cmath
import re
from collections.abc import Callable, Iterable
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

_NAMES = {**{name: name for name in (*FUNCTIONS, *CONSTANTS)}, "ln": "log", "π": "pi"}
# Signs that word processors and phones write, and small digits.
_SIGNS = str.maketrans(
    {**dict.fromkeys("−–", "-"), **dict.fromkeys("·⋅∙•×∗", "*"), **dict.fromkeys("÷⁄∕", "/")}
)
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "₀₁₂₃₄₅₆₇₈₉"
_SMALL = str.maketrans(_RAISED + _LOWERED, "0123456789-0123456789")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    rf"|(?P<variable>w(?:_?[1-9]|[₁-₉])(?![0-9{_LOWERED}])|[xy](?=[xy]*(?![A-Za-z_0-9{_LOWERED}])))"
    rf"|(?P<power>[{_RAISED}]+)|(?P<name>π|[A-Za-z_][A-Za-z_0-9{_LOWERED}]*)"
    r"|(?P<sign>\*\*|[-+*/^()|]))"
)
_HINTS = dict.fromkeys("[{", "write (") | {
    ",": "a decimal point is .",
    "=": "write what stands right of =",
    "√": "write sqrt(...)",
    "½": "write 1/2",
}
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
        exact fractions. Other spellings of the same are understood: ``w_1``, ``w₁``, ``w1²``,
        ``2(w1 + 1)``, ``w1w2``, ``ln``, the signs ``− · × ÷ π``, and ``x`` and ``y`` for ``w1``
        and ``w2``.
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
        If it holds anything else, can be read in two ways, is too long, too deeply nested or too
        large, is nowhere a real number, or names a variable beyond `dimension`.

    Notes
    -----
    Text is never evaluated: a list of allowed words and signs comes first, then a walk over the
    syntax tree with a list of allowed nodes. Where the loss as it is written has a pole or is not a
    real number, `value` and `gradient` give infinity or NaN, without a warning: ``exp(log(w1))`` is
    a number for positive ``w1`` only.

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
            self.expression, self._domain = parse(expression)
        elif isinstance(expression, sp.Expr):
            self.expression = _checked_tree(expression)
            self._domain = _domain_of(self.expression)
        else:
            raise TypeError(
                f"expression must be text or a SymPy expression; got {brief(expression)}"
            )
        read = [self.expression, *(part for part, _ in self._domain)]  # 0/w3 is 0, but not at 0
        named = [i + 1 for i, w in enumerate(VARIABLES) if any(part.has(w) for part in read)]
        largest = max([2, *named])
        d = largest if dimension is None else whole_number("dimension", dimension, lower=2)
        if not largest <= d <= len(VARIABLES):
            raise ValueError(
                f"dimension must be from {largest} to {len(VARIABLES)} here; got {dimension}"
            )
        self.variables, self.shape = VARIABLES[:d], (d,)
        self.slopes = tuple(derivative(self.expression, w) for w in self.variables)
        self._compile()

    def _compile(self) -> None:
        self._value_of = _function(self.variables, [self.expression], self._domain)
        self._slopes_of = _function(self.variables, list(self.slopes), self._domain)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the functions, which can't be pickled."""
        return {k: v for k, v in vars(self).items() if k not in ("_value_of", "_slopes_of")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._compile()

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


# Parts of a formula with what they must be where it is a real number.
Domain = tuple[tuple[sp.Expr, str], ...]
_HOLDS: dict[str, Callable[[Any], Any]] = {
    "positive": lambda x: x > 0,
    "nonnegative": lambda x: x >= 0,
    "nonzero": lambda x: (x < 0) | (x > 0),  # which NaN is not
}


def _needs_of_power(base: sp.Expr, power: sp.Expr) -> Domain:
    """Return what the base must be for ``base**power`` to be a real number."""
    if power.is_integer:
        return ((base, "nonzero"),) if power.is_negative else ()
    if not power.is_number:
        return ()
    return ((base, "nonnegative" if power.is_positive else "positive"),)


def _domain_of(expression: sp.Expr) -> Domain:
    """Return where a SymPy expression is a real number."""
    needs: list[tuple[sp.Expr, str]] = []
    for part in sp.preorder_traversal(expression):
        if isinstance(part, sp.Pow):
            needs += _needs_of_power(*part.args)
        elif isinstance(part, sp.log):
            needs.append((part.args[0], "positive"))
    return _in_doubt(needs)


def _in_doubt(needs: Iterable[tuple[sp.Expr, str]]) -> Domain:
    """Return each need once, and none that always holds; one that never can is refused."""
    doubtful = []
    for part, need in dict.fromkeys(needs):
        holds = getattr(part, f"is_{need}")
        if part.is_number and holds is False:
            raise ValueError(f"expression is nowhere a real number: {part} would have to be {need}")
        if not holds:
            doubtful.append((part, need))
    return tuple(doubtful)


def _function(
    variables: tuple[sp.Symbol, ...], parts: list[sp.Expr], domain: Domain
) -> Callable[[Array], Array]:
    """Return a NumPy function of w (..., d) that gives the parts, (..., len(parts))."""
    printer = _Printer({"fully_qualified_modules": False, "inline": True})
    everything = [*parts, *(part for part, _ in domain)]
    compiled = sp.lambdify(variables, everything, modules="numpy", printer=printer, cse=True)

    def function(w: Array) -> Array:
        result = np.empty((*w.shape[:-1], len(everything)))
        with np.errstate(all="ignore"):
            values = compiled(*np.moveaxis(w, -1, 0))
        for i, value in enumerate(values):
            result[..., i] = np.nan if np.iscomplexobj(value) else value
        result, needed = result[..., : len(parts)], result[..., len(parts) :]
        for i, (_, need) in enumerate(domain):
            no_number = ~_HOLDS[need](needed[..., i, None]) & np.isfinite(result)
            result = np.where(no_number, np.nan, result)
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


def parse(text: str) -> tuple[sp.Expr, Domain]:
    """Return what a text of the grammar stands for, in real variables, and where it is real."""
    if len(text) > _CHARACTERS:
        raise ValueError(
            f"expression may have {_CHARACTERS} characters; got {len(text)}: {text[:20]!r}..."
        )
    reader = _Reader(_spelled(text))
    try:
        tree = ast.parse(reader.source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f"expression nests too deep; got {brief(text)}") from None
    expression = _bounded(reader.read(tree)[0], text)
    return expression, _in_doubt(reader.needs)


def _spelled(text: str) -> str:
    """Return `text` in Python's spelling, after making sure of every word and sign in it."""
    speller, at, plain = _Speller(), 0, text.translate(_SIGNS).rstrip()
    while at < len(plain):
        token = _TOKEN.match(plain, at)
        if token is None:
            raise _unknown(plain[at : at + 20].strip())
        speller.take(token[0].strip(), str(token.lastgroup))
        at = token.end()
    return speller.end()


class _Speller:
    """Writes tokens in Python's spelling, with a sign where a product leaves no other reading."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.before, self.letters = "", set[str]()
        # Of what is open, outermost first: its sign, and whether a division in it could go on.
        self.opened, self.divides = [""], [False]
        # After a value; after a sign of powers; after a value that is an exponent by itself.
        self.value = self.raises = self.exponent = False

    def take(self, word: str, kind: str) -> None:
        if kind == "name" and word not in _NAMES:
            raise _unknown(word)
        if _NAMES.get(self.before) in FUNCTIONS and word != "(":
            raise ValueError(f"expression needs ( after {self.before}, as in {self.before}(w1)^2")
        if word == ")" or (word == "|" and self.value and self.opened[-1] == "|"):
            self._close(word)
        elif kind == "power":
            self._power(word)
        elif kind == "sign" and word not in "(|":
            self._operator(word)
        else:
            if self.value:
                self._check_product(word, kind)
                self.parts.append("*")
            self._begin(word, kind)
        self.before = word

    def end(self) -> str:
        if not self.parts:
            raise ValueError("expression is empty: write a loss, such as (w1 - 1)^2 + w2^4")
        if not self.value:
            raise ValueError(f"expression is not complete: it ends with {self.before!r}")
        if len(self.opened) > 1:
            raise ValueError(f"expression is not complete: {self.opened[-1]!r} is not closed")
        if len(self.letters) > 1:
            raise ValueError("expression may name w1 and w2, or x and y; got both")
        return "".join(self.parts)

    def _close(self, word: str) -> None:
        if not self.value:
            raise ValueError(f"expression is not complete: {self.before!r} stands before {word!r}")
        if self.opened.pop() != word.replace(")", "("):
            raise ValueError(f"expression closes with {word!r} what was not opened")
        self.divides.pop()
        self.parts.append(")")
        self.exponent = False

    def _power(self, word: str) -> None:
        if not self.value or self.exponent or self.before[-1] in _RAISED:
            raise ValueError(
                f"expression needs one base just before {word}: write w1{word} or (...){word}"
            )
        number = word.translate(_SMALL)
        _check_number(number.lstrip("-"))
        self.parts.append(f"**({number})")

    def _operator(self, word: str) -> None:
        raises = word in ("^", "**")
        if self.value:
            if raises and self.before[-1] in _RAISED:
                raise ValueError(f"expression has two powers: write (w1{self.before}){word}...")
            self.divides[-1] = word == "/" or (raises and self.divides[-1])
            self.raises = raises
        elif word not in "+-":
            signs = f"{self.before} {word}".strip()
            raise ValueError(
                f"expression needs a value before the last sign of {signs!r}; a power is w1^2"
            )
        self.parts.append("**" if raises else word)
        self.value = self.exponent = False

    def _begin(self, word: str, kind: str) -> None:
        """Write a value, the name of a function, or a bracket that opens."""
        self.value = kind != "sign" and _NAMES.get(word) not in FUNCTIONS
        self.exponent, self.raises = self.raises and self.value, False
        if kind == "sign":
            self.opened.append(word)
            self.divides.append(False)
            word = word.replace("|", "abs(")
        elif kind == "variable":
            self.letters.add("w" if word[0] == "w" else "x and y")
            word = {"x": "w1", "y": "w2"}.get(word, f"w{word[-1].translate(_SMALL)}")
        elif kind == "number":
            _check_number(word)
        self.parts.append(_NAMES.get(word, word))

    def _check_product(self, word: str, kind: str) -> None:
        """Refuse a product without a sign that may have been meant otherwise."""
        before = self.before
        if kind == "number":
            readings = f"{before}*{word} or {before}^{word}"
        elif before == "|":
            readings = "|w1|*w2"
        elif before == "e" and word == "(":
            readings = "exp(...) or e*(...)"
        elif self.exponent or self.divides[-1]:
            readings = "the sign *, and parentheses, as in (1/2)*w1, 1/(2*w1) or w1^(2*w2)"
        else:
            return
        where = f"{before} {word}"
        raise ValueError(f"expression can be read in two ways at {where!r}: write {readings}")


def _unknown(word: str) -> ValueError:
    """Return the error about a word or sign that no loss may hold, with the spelling to use."""
    name = next((name for name in FUNCTIONS if word.startswith(name)), "")
    hint = _HINTS.get(word[:1], f"write {name}(...)" if name else "")
    if base := re.fullmatch("log_?(2|10)", word.translate(_SMALL)):
        hint = f"write log(w1)/log({base[1]})"
    elif re.fullmatch("[xω]_?[1-9]", word.translate(_SMALL)):
        number = word[-1].translate(_SMALL)
        hint = f"write w{number}" + f", x*{number} or x^{number}" * (word[0] == "x")
    elif found := re.fullmatch("([wxy])_?([0-9]?)([0-9]*)", word.translate(_SMALL)):
        letter, first, rest = found.groups()
        hint = "variables are w1 to w9"
        if rest or (letter != "w" and first):
            one, many = (f"w{first}", rest) if rest else (letter, first)
            hint = f"write {one}*{many} or {one}^{many}; {hint}"
    elif word.lower() in _NAMES or re.fullmatch("W[1-9]", word):
        hint = f"write {word.lower()}"
    if hint:
        return ValueError(f"expression may not hold {brief(word)}: {hint}")
    return ValueError(f"expression may hold {_ALLOWED}; got {brief(word)}")


def _check_number(word: str) -> None:
    if re.match("0[0-9]", word):
        raise ValueError(f"expression may not have {word!r}: write {word.lstrip('0') or '0'}")
    digits, _, power = word.lower().partition("e")
    if len(digits) > _DIGITS or len(power) > 3 or abs(int(power or 0)) > _DIGITS:
        raise ValueError(
            f"expression may have numbers of {_DIGITS} digits and powers of ten up to {_DIGITS}; "
            f"got {brief(word)}"
        )


class _Reader:
    """Turns a syntax tree into SymPy.

    Beside each part without variables it keeps the number that this is worth, so that SymPy is
    never handed anything too large or complex; and it notes what each part needs to be real, before
    SymPy cancels any.
    """

    def __init__(self, source: str) -> None:
        self.source, self.needs = source, list[tuple[sp.Expr, str]]()

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
                elif name == "log":
                    self.needs.append((part, "positive"))
                elif name == "sqrt":
                    self.needs.append((part, "nonnegative"))
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
            if inverted and product:
                self.needs.append((part, "nonzero"))
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
        self.needs += _needs_of_power(base, power)
        worth = None
        if below is not None and above is not None:
            worth = self._worth(node, pow, below, above)
            if below != 0:
                self._worth(node, pow, below, -above)  # as long if tiny as if large
        return base**power, worth
