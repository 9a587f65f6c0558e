"""Matrices of any size, as words: what proves a line of matrices for every number of rows.

A product of matrices is a word whose letters do not commute, and an expression is a sum of words
with numbers in front. Two sums with the same words and numbers are equal whatever the sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, NamedTuple

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.kronecker import KroneckerProduct

from overparam_edu.derivations.signs import Grad, Inner, Loss, Norm, Rate, Vec
from overparam_edu.derivations.values import CannotEvaluateError


class Letter(NamedTuple):
    """A matrix in a word, or its transpose, or a positive power of a symmetric one."""

    name: str
    rows: Any
    cols: Any
    flipped: bool = False
    symmetric: bool = False
    orthonormal: bool = False  # its columns are
    power: Any = sp.Integer(1)
    base: tuple[Letter, ...] = ()  # the word that is raised, if it is not a letter
    eigen: tuple[tuple[tuple[Letter, ...], Any], ...] = ()  # words it is an eigenvector of: values

    def flip(self) -> Letter:
        """Return the transpose."""
        if self.symmetric:
            return self
        return self._replace(rows=self.cols, cols=self.rows, flipped=not self.flipped)


Word = tuple[Letter, ...]


def _flip(word: Word) -> Word:
    return tuple(letter.flip() for letter in reversed(word))


@dataclass(frozen=True)
class Words:
    """A sum of words; `stacked` says that each stands for its columns in one long vector."""

    shape: tuple[Any, Any]
    terms: Mapping[Word, Any]
    stacked: bool = False

    def __neg__(self) -> Words:
        return replace(self, terms={word: -number for word, number in self.terms.items()})

    def __add__(self, other: Words) -> Words:
        if self.shape != other.shape or self.stacked != other.stacked:
            raise CannotEvaluateError("a sum of matrices whose shapes differ")
        total = dict(self.terms)
        for word, number in other.terms.items():
            total[word] = total.get(word, 0) + number
        return replace(self, terms=total)

    def __sub__(self, other: Words) -> Words:
        return self + -other

    def transposed(self) -> Words:
        """Return the transpose."""
        terms = {_flip(word): number for word, number in self.terms.items()}
        return Words((self.shape[1], self.shape[0]), terms)


@dataclass(frozen=True)
class Operator:
    """A sum of Kronecker products ``B (x) A``, which send a stacked X to ``A X B^T``."""

    pairs: tuple[tuple[Words, Words], ...]

    def __add__(self, other: Operator) -> Operator:
        return Operator(self.pairs + other.pairs)

    def __sub__(self, other: Operator) -> Words:
        """Return what the two make of any X, one less the other."""
        left = self.pairs[0]
        x = letter(sp.MatrixSymbol("X", left[0].shape[1], left[1].shape[1]))
        return self.of(x) - other.of(x)

    def of(self, x: Words) -> Words:
        """Return what the operator makes of X."""
        made: list[Words] = [
            _times(_times(a, replace(x, stacked=False)), b.transposed()) for a, b in self.pairs
        ]
        return sum(made[1:], made[0])


def letter(symbol: Any, **facts: Any) -> Words:
    """Return a matrix symbol as a word of one letter."""
    return Words(symbol.shape, {(Letter(symbol.name, *symbol.shape, **facts),): sp.Integer(1)})


# What the numbers made of words stand for: a word whose trace they are, or the argument of a loss.
_MEANING: dict[sp.Symbol, Word | Words] = {}


def _trace(word: Word) -> Any:
    """Return the trace of a word, the same for all its rotations and for its transpose."""
    while len(word) > 1:
        first, *middle, last = word
        if first.symmetric and first.name == last.name:
            word = (first._replace(power=first.power + last.power), *middle)
        elif first.orthonormal and not first.flipped and first == last.flip():
            word = tuple(middle)
        else:
            break
    turns = [w[i:] + w[:i] for w in (word, _flip(word)) for i in range(len(w))]
    word = min(turns, key=str)
    thin = [turn for turn in turns if turn[0].rows == 1]
    if thin:
        word = min(thin, key=str)
    if len(word) == 2 and word[0] == word[1].flip() and word[1].cols == 1:
        symbol = sp.Symbol(f"||{word[1].name}||", positive=True)
        _MEANING[symbol] = word
        return symbol**2
    symbol = sp.Symbol(f"tr({_spelled(word)})", real=True)
    _MEANING[symbol] = word
    return symbol


def _spelled(word: Word) -> str:
    marks = {sp.Integer(1): ""}
    return " ".join(
        f"{x.name}{chr(39) * x.flipped}{marks.get(x.power, f'^({x.power})')}" for x in word
    )


def _product(word: Word) -> tuple[Any, Word]:
    """Return a word in its shortest form, and the number that comes out of it."""
    number: Any = sp.Integer(1)
    done: list[Letter] = []
    waiting = list(reversed(word))
    while waiting:
        right = waiting.pop()
        left = done[-1] if done else None
        if left and left.symmetric and left.name == right.name:
            done.pop()
            power = sp.expand(left.power + right.power)
            if left.base and power.is_Integer:
                waiting += reversed(left.base * int(power))
            else:
                waiting.append(left._replace(power=power))
        elif (
            left
            and left.orthonormal
            and left == right.flip()
            and (left.flipped or left.rows == left.cols)
        ):
            done.pop()
        elif left and right.eigen and left.base in dict(right.eigen):
            done.pop()
            number *= dict(right.eigen)[left.base] ** left.power
            waiting.append(right)
        elif left and left.eigen and right.base in dict(left.eigen):
            number *= dict(left.eigen)[right.base] ** right.power
        else:
            done.append(right)
            if right.cols == 1:
                # From the last place that is one row high: a number.
                starts = [i for i, each in enumerate(done) if each.rows == 1]
                if starts:
                    number *= _trace(tuple(done[starts[-1] :]))
                    del done[starts[-1] :]
    return number, tuple(done)


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, Operator) and isinstance(right, Operator):
        return Operator(
            tuple((_times(a, c), _times(b, d)) for a, b in left.pairs for c, d in right.pairs)
        )
    if isinstance(left, Operator) and isinstance(right, Words) and right.stacked:
        return replace(left.of(right), stacked=True)
    if not (isinstance(left, (Words, Operator)) and isinstance(right, (Words, Operator))):
        if isinstance(left, (Words, Operator)):
            left, right = right, left
        if isinstance(right, Operator):
            return Operator(tuple((_times(left, a), b) for a, b in right.pairs))
        if not isinstance(right, Words):
            return left * right
        return replace(right, terms={word: left * number for word, number in right.terms.items()})
    if isinstance(left, Operator) or isinstance(right, Operator):
        raise CannotEvaluateError("a Kronecker product times what is no stacked matrix")
    if left.shape[1] != right.shape[0] or left.stacked or right.stacked:
        raise CannotEvaluateError("a product of matrices whose shapes do not fit")
    terms: dict[Word, Any] = {}
    for one, a in left.terms.items():
        for two, b in right.terms.items():
            number, word = _product(one + two)
            terms[word] = terms.get(word, 0) + a * b * number
    return _as_number(Words((left.shape[0], right.shape[1]), terms))


def _as_number(words: Words) -> Any:
    if words.shape != (1, 1):
        return words
    if any(words.terms.keys()):
        raise CannotEvaluateError("a number that is not one")
    return sum(words.terms.values(), sp.Integer(0))


def _inner(left: Any, right: Any) -> Any:
    if not isinstance(left, Words) or not isinstance(right, Words) or left.shape != right.shape:
        raise CannotEvaluateError("an inner product of matrices whose shapes differ")
    total: Any = sp.Integer(0)
    for one, a in left.terms.items():
        for two, b in right.terms.items():
            number, word = _product(_flip(one) + two)
            total += a * b * number * (_trace(word) if word else _size(left, number))
    return total


def _size(words: Words, number: Any) -> Any:
    # The trace of the identity, unless the word has become a number.
    return sp.Integer(1) if 1 in words.shape else words.shape[1]


def _raised(base: Any, power: Any) -> Any:
    """Return a matrix to a whole power, or a product ``X X^T`` to a positive one.

    With orthonormal columns in Q, ``(Q M Q^T)^s`` is ``Q M^s Q^T``: a power acts on eigenvalues.
    """
    if power.is_Integer and power >= 0:
        return reduce(_times, [base] * int(power), _one(base.shape[0]))
    if not power.is_positive or len(base.terms) != 1:
        raise CannotEvaluateError("a power that words can't spell")
    ((word, number),) = base.terms.items()
    if word != _flip(word) or not number.is_positive:
        raise CannotEvaluateError("a fractional power of a matrix that is not symmetric")
    outer: list[Letter] = []
    while word and word[0].orthonormal and not word[0].flipped:
        outer.append(word[0])
        word = word[1:-1]
    if len(word) == 2 and word[0].cols == 1:
        # The only eigenvalue of x x^T that is not 0 is the square of the length.
        number = number**power * _trace(_flip(word)) ** (power - 1)
    else:
        number = number**power
        if len(word) == 1:
            word = (word[0]._replace(power=sp.expand(word[0].power * power)),)
        elif word:
            size = word[0].rows
            word = (Letter(f"({_spelled(word)})", size, size, False, True, False, power, word),)
    return Words(base.shape, {(*outer, *word, *_flip(tuple(outer))): number})


def _one(size: Any) -> Any:
    return _as_number(Words((size, size), {(): sp.Integer(1)}))


def slope(point: Words) -> Words:
    """Return the gradient of the loss L at a matrix, a letter of its own."""
    return letter(sp.MatrixSymbol(f"dL({_key(point)})", *point.shape))


def _key(words: Words) -> str:
    return " + ".join(sorted(f"{number} {_spelled(w)}" for w, number in words.terms.items()))


def _loss(point: Words) -> sp.Symbol:
    symbol = sp.Symbol(f"L({_key(point)})", real=True)
    _MEANING[symbol] = point
    return symbol


def _made_of(value: Any) -> list[sp.Symbol]:
    return sorted((s for s in value.free_symbols if s in _MEANING), key=str)


def _gradient(value: Any, by: Words) -> Words:
    """Return the matrix of derivatives of a number, by the chain rule."""
    ((target,),) = by.terms
    total = Words(by.shape, {})
    for symbol in _made_of(value):
        meaning = _MEANING[symbol]
        if isinstance(meaning, Words):
            outer, terms = slope(meaning), list(meaning.terms.items())
        else:
            # A norm is the root of what it stands for.
            root = 1 / (2 * symbol) if symbol.is_positive else sp.Integer(1)
            outer, terms = sp.Integer(1), [(meaning, root)]
        for word, number in terms:
            if any(target in each.base or target.flip() in each.base for each in word):
                raise CannotEvaluateError("the derivative of a power of a matrix")
            for place, each in enumerate(word):
                before, after = word[:place], word[place + 1 :]
                if each == target:
                    parts = (_flip(before), outer, _flip(after))
                elif each == target.flip():
                    parts = (after, _turned(outer), before)
                else:
                    continue
                total += _scaled(number * value.diff(symbol), by.shape, parts)
    return total


def _turned(part: Any) -> Any:
    if isinstance(part, Operator):
        raise CannotEvaluateError("the transpose of a Kronecker product")
    return part.transposed() if isinstance(part, Words) else part


def _scaled(number: Any, shape: tuple[Any, Any], parts: tuple[Any, Any, Any]) -> Words:
    left, middle, right = parts
    terms = middle.terms if isinstance(middle, Words) else {(): sp.Integer(1)}
    total: dict[Word, Any] = {}
    for inner, factor in terms.items():
        extra, word = _product(left + inner + right)
        total[word] = total.get(word, 0) + number * factor * extra
    return Words(shape, total)


def _derivative(value: Any, by: Any) -> Any:
    """Return the derivative of a number by a number on which arguments of L may depend too."""
    total = sp.diff(value, by)
    for symbol in _made_of(value):
        meaning = _MEANING[symbol]
        if isinstance(meaning, Words):
            moved = {word: sp.diff(number, by) for word, number in meaning.terms.items()}
            total += sp.diff(value, symbol) * _inner(slope(meaning), replace(meaning, terms=moved))
    return total


def _rate(words: Words, speeds: Mapping[Letter, Words]) -> Words:
    """Return the velocity of a sum of words, by the product rule."""
    total = Words(words.shape, {})
    for word, number in words.terms.items():
        for place, each in enumerate(word):
            speed = speeds.get(each)
            if speed is None and each.flip() in speeds:
                speed = speeds[each.flip()].transposed()
            if speed is None:
                raise CannotEvaluateError(f"{each.name} has no velocity")
            for middle, factor in speed.terms.items():
                extra, moved = _product(word[:place] + middle + word[place + 1 :])
                total += Words(words.shape, {moved: number * factor * extra})
    return total


@dataclass(frozen=True)
class Letters:
    """What the symbols of a line stand for: words, or numbers; a matrix not named is a letter."""

    table: Mapping[Any, Any] = field(default_factory=dict)

    def having(self, more: Mapping[Any, Any]) -> Letters:
        """Return these meanings together with `more`."""
        return Letters({**self.table, **more})

    def naming(self, definition: Any) -> Letters:
        """Return these meanings together with the name that ``Eq(name, expression)`` introduces."""
        name, value = definition.lhs, self.worth(definition.rhs)
        wanted = name.shape if isinstance(name, sp.MatrixSymbol) else None
        if not isinstance(value, Operator) and getattr(value, "shape", None) != wanted:
            raise CannotEvaluateError(f"{name} is given a value of another shape")
        return self.having({name: value})

    def worth(self, e: Any) -> Any:
        """Return an expression as words, or as a number; `CannotEvaluateError` if it is neither."""
        if e in self.table:
            return self.table[e]
        if isinstance(e, sp.MatrixSymbol):
            return _as_letter(e)
        if isinstance(e, (sp.Number, sp.NumberSymbol, sp.Symbol)):
            return e
        if isinstance(e, (Rate, Grad, sp.Derivative)):
            return self._differentiated(e)
        if isinstance(e, (AppliedUndef, sp.Integral)):
            return e.xreplace({x: self.worth(x) for x in e.atoms(Norm) | e.free_symbols})
        for kind, rule in _RULES.items():
            if isinstance(e, kind):
                whole = isinstance(e, (sp.Identity, sp.ZeroMatrix))
                return rule(e) if whole else rule(*map(self.worth, e.args))
        raise CannotEvaluateError(f"{e} is not made of words")

    def gaps(self, left: Any, right: Any) -> list[Any]:
        """Return numbers; if all of them are 0, left is right for matrices of every size."""
        one, two = self.worth(left), self.worth(right)
        if type(one) in (Words, Operator) or type(two) in (Words, Operator):
            if type(one) is not type(two):
                raise CannotEvaluateError("the two sides have different shapes")
            return list((one - two).terms.values())
        return [one - two]

    def _differentiated(self, e: Any) -> Any:
        if isinstance(e, Rate):
            speeds = {k.args[0]: v for k, v in self.table.items() if isinstance(k, Rate)}
            words = {next(iter(self.worth(x).terms))[0]: v for x, v in speeds.items()}
            return _rate(self.worth(e.args[0]), words)
        if isinstance(e, Grad):
            return _gradient(self.worth(e.args[0]), self.worth(e.args[1]))
        return reduce(_derivative, (self.worth(x) for x in e.variables), self.worth(e.expr))


def _as_letter(symbol: Any) -> Any:
    if symbol.shape == (1, 1):
        raise CannotEvaluateError("a matrix of one entry")
    return letter(symbol)


def _plus(*parts: Any) -> Any:
    kinds = {type(part) if isinstance(part, (Words, Operator)) else sp.Expr for part in parts}
    if len(kinds) > 1:
        raise CannotEvaluateError("a sum of a number and a matrix")
    return reduce(lambda left, right: left + right, parts)


_RULES: dict[Any, Any] = {
    (sp.MatAdd, sp.Add): _plus,
    (sp.MatMul, sp.Mul): lambda *parts: reduce(_times, parts),
    (sp.MatPow, sp.Pow): lambda x, s: _raised(x, s) if isinstance(x, Words) else x**s,
    sp.Transpose: _turned,
    sp.Identity: lambda e: _one(e.rows),
    sp.ZeroMatrix: lambda e: Words(e.shape, {}),
    Inner: _inner,
    Norm: lambda x: sp.sqrt(_inner(x, x)),
    Loss: _loss,
    Vec: lambda x: replace(x, stacked=True),
    KroneckerProduct: lambda b, a: Operator(((a, b),)),
}
