"""Proofs as data: a `Derivation` is a list of `Step`s, renders itself and can be checked.

Nothing here is a widget. A notebook typesets what these objects return, and the stepper of the
views room reads ``derivation.steps``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overparam_edu.derivations.proof import Report, check_step
from overparam_edu.derivations.step import Step


@dataclass(frozen=True)
class Derivation:
    """A statement and the steps that lead to it.

    Parameters
    ----------
    name : str
        Short name, for example ``"warm-up"``.
    statement : str
        What is shown, in one or two sentences (Markdown with LaTeX).
    steps : tuple of Step
        The lines, in order.
    source : str
        Where in the talk and the paper it stands.

    Examples
    --------
    >>> import overparam_edu.derivations as proofs
    >>> proof = proofs.single_output()
    >>> proof.verify().ok
    True
    """

    name: str
    statement: str
    steps: tuple[Step, ...]
    source: str

    def verify(self, *, points: int = 8, seed: int = 0) -> Report:
        """Prove every step: symbolically where SymPy can, else at random points.

        Parameters
        ----------
        points : int
            Number of random points for a step that SymPy can't prove.
        seed : int
            Seed of those points; the same seed gives the same report.

        Returns
        -------
        Report
            For each step how it was proved and whether it holds; ``report.ok`` for all.

        Raises
        ------
        TypeError, ValueError
            If `points` is not a whole number of at least 1, or `seed` of at least 0.

        Examples
        --------
        >>> import overparam_edu.derivations as proofs
        >>> print(proofs.single_output().verify().steps[0].method)
        symbolic
        """
        reports = [check_step(step, points=points, seed=seed) for step in self.steps]
        return Report(self.name, tuple(reports))

    def to_latex(self) -> str:
        r"""Return the whole derivation as LaTeX for a document with ``amsmath``."""
        parts = [rf"\paragraph{{{self.name}}} {self.statement}"]
        for number, step in enumerate(self.steps, start=1):
            parts.append(
                rf"\noindent\textbf{{{number}. {step.title}}} ({step.kind}). {step.reason}"
                f"\n\\[\n{step.to_latex()}\n\\]"
            )
        return "\n\n".join(parts)

    def to_markdown(self) -> str:
        """Return the whole derivation as Markdown with LaTeX, as a notebook shows it."""
        parts = [f"### {self.name}\n\n{self.statement}\n\n*{self.source}*"]
        for number, step in enumerate(self.steps, start=1):
            parts.append(f"**{number}.** " + step.to_markdown())
        return "\n\n".join(parts)

    def _repr_latex_(self) -> str:
        rows = r" \\[1ex] ".join(rf"&{step.to_latex()}" for step in self.steps)
        return rf"$\displaystyle \begin{{aligned}}{rows}\end{{aligned}}$"

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        return {
            "text/markdown": self.to_markdown(),
            "text/latex": self._repr_latex_(),
            "text/plain": str(self),
        }

    def __str__(self) -> str:
        head = f"{self.name}: {self.statement}\n({self.source})"
        return "\n\n".join([head, *(f"{n}. {step}" for n, step in enumerate(self.steps, start=1))])
