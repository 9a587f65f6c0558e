"""A question as a widget: its answers are chosen in the browser, and Python hears of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from overparam_edu.player.mathml import math_font

_HERE = Path(__file__).parent


def question_module() -> str:
    """Return what a notebook loads for each question: one module, of two files."""
    return "".join((_HERE / name).read_text("utf-8") for name in ("fonts.js", "question.js"))


class QuestionCard(anywidget.AnyWidget):
    """A form of radio buttons, written as HTML that needs no script to be read and answered.

    `text` is what is shown where there are no widgets.
    """

    _esm = question_module()
    _css = _HERE / "question.css"
    html = traitlets.Unicode().tag(sync=True)
    # Never echoed: the hand may have chosen again since.
    chosen = traitlets.Unicode(help="The value of what is checked, or nothing.").tag(
        sync=True, echo_update=False
    )

    def __init__(self, html: str, text: str, chosen: str = "") -> None:
        self.text = text
        super().__init__(html=html, chosen=chosen)
        self.on_msg(self._answer)

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        if content == {"kind": "font"}:
            self.send(content, buffers=[math_font()])
        elif isinstance(content, dict) and isinstance(content.get("chosen"), str):
            self.set_state({"chosen": content["chosen"]})  # an assignment would answer

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return what Jupyter shows: the widget, or the question where it can't show widgets."""
        bundle: Any = super()._repr_mimebundle_(**options)
        # The widget library gives its data alone, or with metadata.
        (bundle[0] if isinstance(bundle, tuple) else bundle)["text/plain"] = self.text
        return bundle
