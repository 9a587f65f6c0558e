"""One line of a proof as data: an equation before, an equation after, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from overparam_edu.checks import one_of
from overparam_edu.derivations.letters import Letters
from overparam_edu.derivations.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


# How plain text marks each kind.
_MARKS = {"exact": "=", "dropped order": "≈", "assumption": "given", "definition": "name"}
KINDS = tuple(_MARKS)


@dataclass(frozen=True)
class Setting:
    """Where the symbols of a step live when the step is checked.

    Parameters
    ----------
    name : str, one line saying what the values are, for the report
    exact : tuple of Values or Letters, optional
        Explicit entries (SymPy symbols), or letters for matrices of any size. If every one of them
        makes the two sides equal, the step counts as proved symbolically.
    sample : callable, optional
        ``sample(random, turn)`` returns a random point, `Values` of mpmath numbers that satisfy the
        assumptions stated so far. Turns go through the shapes worth trying, the most general first.
    general : bool, default False
        Whether `exact` holds every case, as letters do; else it counts as a small case: one size of
        matrix, or a few values of an index.
    """

    name: str
    exact: tuple[Values | Letters, ...] = ()
    sample: Callable[[Random, int], Values] | None = None
    general: bool = False

    def __post_init__(self) -> None:
        if self.exact and all(isinstance(values, Letters) for values in self.exact):
            object.__setattr__(self, "general", True)


class Rendered:
    """What a notebook shows of a thing that writes itself as Markdown, LaTeX and plain text."""

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        written: Any = self
        return {
            "text/markdown": written.to_markdown(),
            "text/latex": written._repr_latex_(),
            "text/plain": str(self),
        }


@dataclass(frozen=True)
class Step(Rendered):
    """One line of a proof: an equation before, an equation after, and why.

    What a step claims: two expressions ``before`` and ``after`` are equal; two equations with the
    same left side have equal right sides; any other equation in ``before`` and ``after`` is true
    (a `sympy.Tuple` holds several). With `solves`, the value ``after`` gives for that symbol solves
    ``before``. Each claim is made at the values of `setting`, with the names of `where` filled in.

    Parameters
    ----------
    title : str, what happens in this line
    before, after : sympy expression, matrix expression, Eq or Tuple of Eq
        The line above and the line below.
    reason : str, why the lower line follows, in one sentence
    kind : {"exact", "dropped order", "assumption", "definition"}
        What kind of step it is.
    where : tuple of Eq
        Names introduced or used here, ``Eq(name, meaning)``.
    setting : Setting, optional
        Where the symbols live; without it they are numbers that obey their SymPy assumptions.
    small, order : Symbol and int, optional
        For a dropped order: what was dropped is of size ``small**order``.
    solves : Symbol for which ``after`` solves ``before``, optional

    Raises
    ------
    ValueError
        If `kind` is unknown, or a dropped order lacks `small` or `order`.
    """

    title: str
    before: Any
    after: Any
    reason: str
    kind: str = "exact"
    where: tuple[Any, ...] = ()
    setting: Setting | None = None
    small: Any = None
    order: int | None = None
    solves: Any = None

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        if (self.kind == "dropped order") != (self.small is not None and self.order is not None):
            raise ValueError(
                "small and order must both be given for kind 'dropped order', and for no other; "
                f"got small={self.small}, order={self.order}, kind={self.kind!r}"
            )

    def claims(self) -> tuple[tuple[Any, Any], ...]:
        """Return the pairs of expressions that this step says are equal.

        Returns
        -------
        tuple of (left, right)
            What `Derivation.verify` checks.

        Examples
        --------
        >>> import sympy as sp
        >>> x = sp.Symbol("x")
        >>> Step("Expand", (x + 1) ** 2, x**2 + 2 * x + 1, "Multiply out.").claims()
        (((x + 1)**2, x**2 + 2*x + 1),)
        """
        before, after = self.before, self.after
        if self.solves is not None:
            return ((before.lhs, before.rhs),)
        if not isinstance(after, (sp.Equality, sp.Tuple)):
            return ((before, after),)
        both = isinstance(after, sp.Equality) and isinstance(before, sp.Equality)
        if both and before.lhs == after.lhs:
            return ((before.rhs, after.rhs),)
        lines = [line for line in _lines(before) if isinstance(line, sp.Equality)]
        return tuple((line.lhs, line.rhs) for line in (*lines, *_lines(after)))

    def to_latex(self) -> str:
        r"""Return the equations of the step as LaTeX.

        Returns
        -------
        str
            One display, without dollar signs.

        Examples
        --------
        >>> import sympy as sp
        >>> x = sp.Symbol("x")
        >>> Step("Double", x + x, 2 * x, "Add.").to_latex()
        '\\begin{aligned}& 2 x \\\\ &= 2 x\\end{aligned}'
        """
        return self._display

    @cached_property
    def _display(self) -> str:
        # Kept, since a notebook asks for Markdown and LaTeX and printing is what takes the time.
        above = [rf"& {_latex(line)}" for line in _lines(self.before)]
        below = [_latex(line) for line in _lines(self.after)]
        if self.kind == "dropped order":
            below[-1] += rf" + O\left({_latex(self.small**self.order)}\right)"
        relation = "="
        if isinstance(self.after, (sp.Equality, sp.Tuple)):
            relation = r"\Rightarrow\ " if above else ""
        rows = above + [f"&{relation} {line}" for line in below]
        if self.where:
            names = r",\quad ".join(_latex(line) for line in self.where)
            rows.append(rf"&\text{{where }}\ {names}")
        return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"

    def to_markdown(self) -> str:
        """Return title, kind, equations and reason as Markdown with LaTeX.

        Returns
        -------
        str
            As a notebook shows it.
        """
        kind = self.kind
        if kind == "dropped order":
            kind = f"dropped order, ${_latex(self.small**self.order)}$"
        return f"**{self.title}** ({kind})\n\n$$\n{self.to_latex()}\n$$\n\n{self.reason}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.to_latex()}$"

    def __str__(self) -> str:
        lines = [f"{self.title} [{_MARKS[self.kind]}]"]
        lines += [f"    {_plain(line)}" for line in _lines(self.before)]
        tail = f" + O({self.small**self.order})" if self.kind == "dropped order" else ""
        arrow = "=>" if isinstance(self.after, (sp.Equality, sp.Tuple)) else " ="
        lines += [f" {arrow} {_plain(line)}{tail}" for line in _lines(self.after)]
        lines += [f"    where {_plain(line)}" for line in self.where]
        return "\n".join([*lines, f"    {self.reason}"])


def in_setting(setting: Setting, *steps: Step) -> tuple[Step, ...]:
    """Return the steps, with `setting` where they name none of their own."""
    return tuple(step if step.setting else replace(step, setting=setting) for step in steps)


def _lines(expression: Any) -> tuple[Any, ...]:
    if expression is None:
        return ()
    return tuple(expression) if isinstance(expression, sp.Tuple) else (expression,)


class _WrittenOrder:
    """Print a sum that was written without evaluation in the order it was written."""

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> Any:
        if expr.is_Matrix or expr.args != sp.Add(*expr.args).args:
            return list(expr.args)
        terms = super()._as_ordered_terms(expr, order)  # type: ignore[misc]
        # 1 - x rather than -x + 1.
        return sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))


class _Latex(_WrittenOrder, LatexPrinter):  # type: ignore[misc]
    def _print_Integral(self, expr: Any) -> str:
        # Limits beside the sign: a board has little height.
        return str(super()._print_Integral(expr)).replace(r"\limits", "")

    def _print_Mul(self, expr: Any) -> str:
        # SymPy simplifies a negative exponent of letters, to see whether it is a number; one that
        # is marked as unevaluated has no sign.
        factors = expr.as_ordered_factors() if expr.is_Mul and expr.is_commutative else []
        for place, factor in enumerate(factors):
            base, exponent = factor.as_base_exp()
            if exponent.is_negative and exponent.free_symbols:
                factors[place] = base ** sp.UnevaluatedExpr(exponent)
                expr = sp.Mul(*factors, evaluate=False)
        return str(super()._print_Mul(expr))

    def _print_MatMul(self, expr: Any) -> str:
        # SymPy tells a sign by comparing a product with its negative, and does so for each factor.
        first, *rest = expr.args
        sign = "- " if first.is_Number and first.is_negative else ""
        factors = [*([] if first == -1 else [-first]), *rest] if sign else expr.args
        level = PRECEDENCE["Add" if sign else "Mul"]
        return sign + " ".join(
            self._print(factor)
            if factor.is_Mul and not factor.is_MatMul
            else self.parenthesize(factor, level, False)
            for factor in factors
        )


class _Plain(_WrittenOrder, StrPrinter):  # type: ignore[misc]
    pass


def _latex(expression: Any) -> str:
    text = str(_Latex({"root_notation": False}).doprint(expression))
    return text.replace("+ -1 ", "- ").replace("+ - ", "- ")


def _plain(expression: Any) -> str:
    if isinstance(expression, sp.Equality):
        return f"{_plain(expression.lhs)} = {_plain(expression.rhs)}"
    text = str(_Plain().doprint(expression))
    return text.replace("+ (-1)*", "- ").replace("(-1)*", "-").replace("prime", "'")
