"""What a student reads after a check: a verdict, and a hint that fits."""

from __future__ import annotations

from dataclasses import dataclass, field

from overparam_edu._validation import one_of

VERDICTS = ("right", "not yet", "not attempted", "error in your code")
# Sign and colour, which never stands alone: the verdict is there in words.
_LOOK = {
    "right": ("✓", "#009E73"),
    "not yet": ("→", "#D55E00"),
    "not attempted": ("…", "#6E6E6E"),
    "error in your code": ("!", "#0072B2"),
}


@dataclass(frozen=True)
class Feedback:
    """The answer to an answer.

    Parameters
    ----------
    name : str
        The exercise.
    verdict : {"right", "not yet", "not attempted", "error in your code"}
    text : str
        What to say, in Markdown with ``$mathematics$``.
    hints : tuple of str
        Further help, from gentle to explicit, likewise.
    head : str
        The words shown for the verdict, if they differ from it.

    Raises
    ------
    ValueError
        If the verdict is another word.

    Examples
    --------
    >>> Feedback("matrix_rule", "not yet", "Look at the powers.", ("There are $N$ terms.",))
    → not yet: Look at the powers.
      Hint: There are $N$ terms.
    """

    name: str
    verdict: str
    text: str
    hints: tuple[str, ...] = field(default=())
    head: str = ""

    def __post_init__(self) -> None:
        one_of("verdict", self.verdict, VERDICTS)

    def __repr__(self) -> str:
        sign, _ = _LOOK[self.verdict]
        lines = [f"{sign} {self.head or self.verdict}: {self.text}"]
        return "\n".join([*lines, *(f"  Hint: {hint}" for hint in self.hints)])

    def _repr_html_(self) -> str:
        from overparam_edu.views.mathml import prose

        sign, colour = _LOOK[self.verdict]
        head = f"<strong>{sign} {self.head or self.verdict}</strong>"
        hints = "".join(f"<li>{prose(hint)}</li>" for hint in self.hints)
        more = f"<ul>{hints}</ul>" if hints else ""
        style = f"border-left:6px solid {colour};padding:4px 14px;font-size:1.1em"
        return f'<div role="status" style="{style}">{head}{prose(self.text)}{more}</div>'
