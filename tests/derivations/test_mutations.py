"""Every step of every derivation is broken on purpose; the checker must notice each break.

A mutant differs from its step in one place: a sign, a term, a factor, an exponent, a transpose,
two factors swapped, a claimed order. A mutant that is worth the same as the original at random
values (say the transpose of a diagonal matrix) says the same thing: it is recognised by that
comparison, not by a list.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.kronecker import KroneckerProduct

import overparam_edu.derivations as proofs
from overparam_edu.derivations.checker import _named, _point
from overparam_edu.derivations.signs import Rate
from overparam_edu.derivations.values import NUMBERS, CannotEvaluateError, entries, evaluate

DERIVATIONS = {
    "warm_up": proofs.warm_up,
    "end_to_end_rule": proofs.end_to_end_rule,
    "weight_decay": lambda: proofs.end_to_end_rule(2, weight_decay=True),
    "preconditioning": proofs.preconditioning,
    "single_output": proofs.single_output,
    "illustration": proofs.illustration,
    "beyond_regularization": proofs.beyond_regularization,
    "theorem_2_by_criterion": proofs.theorem_2_by_criterion,
    "theorem_2_by_line_integral": proofs.theorem_2_by_line_integral,
}
UNCHECKED = (Rate, sp.MatrixSymbol, sp.Indexed, sp.Symbol, AppliedUndef)
# Of these only the first part is an expression; the others name an index or a variable.
BOUND = (sp.Sum, sp.Product, sp.Derivative)


def rebuilt(node, args):
    if isinstance(node, (sp.MatMul, sp.MatAdd, KroneckerProduct)):
        # Past SymPy's own check of shapes: the checker has to notice.
        return sp.Basic.__new__(node.func, *args)
    if isinstance(node, (sp.Add, sp.Mul, sp.Pow, sp.Equality)):
        return node.func(*args, evaluate=False)
    return node.func(*args)


def negative(node):
    minus_one = sp.Integer(-1)
    return sp.Basic.__new__(sp.MatMul, minus_one, node) if node.is_Matrix else -node


def here(node):
    """Yield (what, mutant) for changes at the top of `node`."""
    if isinstance(node, (sp.Add, sp.MatAdd)):
        for i, term in enumerate(node.args):
            flipped = negative(term)
            yield "sign", rebuilt(node, [*node.args[:i], flipped, *node.args[i + 1 :]])
            rest = [*node.args[:i], *node.args[i + 1 :]]
            yield "term", rest[0] if len(rest) == 1 else rebuilt(node, rest)
    elif isinstance(node, (sp.Mul, sp.MatMul)):
        for i, factor in enumerate(node.args):
            rest = [*node.args[:i], *node.args[i + 1 :]]
            if not factor.is_Matrix:
                what = "sign" if factor == -1 else "factor"
                yield what, rest[0] if len(rest) == 1 else rebuilt(node, rest)
        for i, (left, right) in enumerate(zip(node.args, node.args[1:], strict=False)):
            if left.is_Matrix and right.is_Matrix:
                yield "swap", rebuilt(node, [*node.args[:i], right, left, *node.args[i + 2 :]])
    elif isinstance(node, (sp.Pow, sp.MatPow)):
        yield "exponent", rebuilt(node, [node.base, node.exp + 1])
        if node.exp.is_Rational and not node.exp.is_Integer:
            yield "missing 1/N", rebuilt(node, [node.base, sp.Integer(node.exp.p)])
        elif 2 - 1 / sp.Wild("n") != node.exp and node.exp.has(sp.Symbol("N", positive=True)):
            whole = node.exp.subs(sp.Symbol("N", positive=True), 1)
            yield "missing 1/N", rebuilt(node, [node.base, whole])
    elif isinstance(node, sp.Transpose):
        yield "transpose", node.args[0]
    elif isinstance(node, sp.MatrixSymbol):
        yield "transpose", node.T
    elif isinstance(node, sp.ZeroMatrix):
        yield "term", sp.Identity(node.rows)
    elif node.is_Number:
        yield "term", node + 1
    elif isinstance(node, sp.Symbol):
        yield "exponent", node**2


def mutants(node):
    yield from here(node)
    if isinstance(node, UNCHECKED) or node.is_Number:
        return
    for i, part in enumerate(node.args):
        if not isinstance(part, (sp.Basic,)) or (isinstance(node, BOUND) and i):
            continue
        if isinstance(node, (sp.Pow, sp.MatPow)) and i:
            continue
        for what, changed in mutants(part):
            yield what, rebuilt(node, [*node.args[:i], changed, *node.args[i + 1 :]])


def sides(line, *, first):
    """Yield mutants of an equation: of its right side, and of its left one if that is a claim."""
    for what, changed in mutants(line.rhs):
        yield what, sp.Eq(line.lhs, changed, evaluate=False)
    yield "sign", sp.Eq(line.lhs, negative(line.rhs), evaluate=False)
    if first:
        for what, changed in mutants(line.lhs):
            yield what, sp.Eq(changed, line.rhs, evaluate=False)


def step_mutants(step):
    """Yield (what, mutated step) for each place of the step's claim and of its names."""
    after = step.after
    if isinstance(after, sp.Tuple):
        for i, line in enumerate(after):
            bare = line.rhs.is_Number or isinstance(line.rhs, (sp.ZeroMatrix, sp.Identity))
            for what, changed in sides(line, first=bare and not isinstance(line.lhs, Rate)):
                lines = [*after[:i], changed, *after[i + 1 :]]
                yield what, replace(step, after=sp.Tuple(*lines))
    elif isinstance(after, sp.Equality):
        for what, changed in sides(after, first=False):
            yield what, replace(step, after=changed)
    else:
        for what, changed in [*mutants(after), ("sign", negative(after))]:
            yield what, replace(step, after=changed)
    for i, name in enumerate(step.where):
        for what, changed in sides(name, first=False):
            yield what, replace(step, where=(*step.where[:i], changed, *step.where[i + 1 :]))
    if step.order is not None:
        yield "order", replace(step, order=step.order + 1)
        yield "order", replace(step, order=step.order - 1)


def worth(step, values):
    pairs = [side for claim in step.claims() for side in claim]
    return [entry for side in pairs for entry in entries(evaluate(side, values))]


def says_the_same(step, other):
    """Say whether a mutant is worth the same as its original, at values of the step's setting."""
    if step.order != other.order:
        return False
    try:
        if step.setting and not step.setting.sample:
            for values in step.setting.exact:
                one = worth(step, _named(step, values))
                two = worth(other, _named(other, values))
                if len(one) != len(two) or any(
                    sp.expand(a - b) != 0 for a, b in zip(one, two, strict=True)
                ):
                    return False
            return True
        small = NUMBERS.mpf(10) ** -12 if step.order is not None else None
        # What a dropped order leaves out may differ: compare up to that order.
        size = NUMBERS.mpf(10) ** -30 if small is None else small**step.order * 10**4
        for turn in range(4):
            one = worth(step, _point(step, Random(turn), turn, small))
            two = worth(other, _point(other, Random(turn), turn, small))
            if len(one) != len(two) or any(
                abs(a - b) > size for a, b in zip(one, two, strict=True)
            ):
                return False
    except (CannotEvaluateError, ArithmeticError, TypeError, ValueError):
        return False
    return True


def census(derivation):
    caught, same, missed = {}, 0, []
    for step in derivation.steps:
        made = 0
        for what, mutant in step_mutants(step):
            report = proofs.check_step(mutant, points=4)
            if not report.ok:
                caught[what] = caught.get(what, 0) + 1
                made += 1
            elif says_the_same(step, mutant):
                same += 1
            else:
                missed.append((step.title, what, str(mutant)))
        assert made >= 2, f"{step.title}: no place to break it"
    return caught, same, missed


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_broken_step_is_caught(name):
    caught, same, missed = census(DERIVATIONS[name]())
    print(f"{name}: {sum(caught.values())} caught {caught}, {same} say the same")
    assert not missed, "\n\n".join(map(str, missed[:8]))
    assert sum(caught.values()) > 5 * same
