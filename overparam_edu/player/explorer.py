"""The frame round every explorer: controls that need new numbers, above a player.

An explorer is some ipywidgets, and a function from their values to a `Scene`. What the scene's own
axes can show needs no kernel; only these controls ask Python. On a page without Python, they offer
a few settings that were computed in advance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import ipywidgets as widgets

from overparam_edu.checks import brief
from overparam_edu.player.frames import number_text
from overparam_edu.player.page import Choice, Piece, Settings
from overparam_edu.player.player import Player, Saves, alone
from overparam_edu.player.scene import Scene

_MOST = 12  # settings of one explorer on a page


class Explorer(Saves, widgets.VBox):  # type: ignore[misc]
    """Controls above a player, with a Reset button; the picture says when it is not of them.

    `build` makes a `Scene` of the controls' values, which are its keyword arguments. The page
    compares what the controls say with what is drawn, so that it says by itself that a picture is
    being computed. If `build` raises after a hand moved a control, the picture stays, and is marked
    with `trouble`, one sentence of why; `set` raises. `notes` are widgets that stand beside the
    controls. `shown_when` says for a control that does not always matter at which values it does.
    `on_pages` are the changes of controls that a page without Python offers, where some that come
    by themselves would take too long or say too little.
    A `Handle` of the scene sets its controls as if they were typed.
    """

    def __init__(
        self,
        build: Callable[..., Scene],
        controls: Mapping[str, widgets.Widget],
        *,
        shown_when: Mapping[str, Callable[[dict[str, Any]], bool]] | None = None,
        notes: Sequence[widgets.Widget] = (),
        on_pages: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._build, self.controls, self._on_pages = build, dict(controls), on_pages
        self._shown_when = dict(shown_when or {})
        self._first = self.values
        self._quiet = False
        self.trouble = ""  # why the controls' values have no picture
        reset = widgets.Button(description="Reset", tooltip="Back to the first settings")
        reset.layout.width = "auto"
        reset.add_class("oe-reset")  # what the page knows it by: it is a move of the hand there
        self._built = self.values  # what the picture is of
        self.scene = build(**self._built)
        models = [control.model_id for control in self.controls.values()]
        self.player = Player(self.scene, _controls=[*zip(models, self.state, strict=True)])
        self.player._drawn = {"settings": self.state}
        for control in self.controls.values():  # as wide as its words
            if hasattr(control, "style") and hasattr(control.style, "description_width"):
                control.style.description_width = "initial"
            if isinstance(control, widgets.ToggleButtons):
                control.style.button_width = control.layout.width = "auto"
            control.observe(self._changed, "value")
        self.player.on_edit, self.player.on_reset = self._edited, self._restart
        self._show_controls()
        row = widgets.HBox([*self.controls.values(), reset, *notes])
        row.add_class("overparam-controls")
        row.layout = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 20px")
        super().__init__([row, self.player])

    @property
    def values(self) -> dict[str, Any]:
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    def state(self) -> list[Any]:
        """What each control says, as a page holds it: a value, or the number of an option."""
        return [
            control.index if hasattr(control, "index") else control.value
            for control in self.controls.values()
        ]

    @alone
    def set(self, **values: Any) -> None:
        """Set several controls at once, with one computation.

        Raises a ValueError, and changes nothing, if a value is not offered or has no picture. What
        a callback of a control raises is raised again when the picture is of the new values.
        """
        before = self.values
        raised = self._put(values)
        asked = self.values
        try:
            self._compute()
        except BaseException:  # what a hand has moved meanwhile stays
            now = self.values
            self._give({name: old for name, old in before.items() if now[name] == asked[name]})
            self._show_controls()
            raise
        _raise_first(raised)

    def _put(self, values: Mapping[str, Any]) -> list[Exception]:
        """Give controls these values, as `_give`; if one is not offered, change none and raise."""
        for name in values:
            if name not in self.controls:
                raise ValueError(f"{name} must be one of {list(self.controls)}; got {name!r}")
        before, raised = self.values, []
        for name, value in values.items():
            for _ in range(3):  # a hand may come between, but not each time
                problems = self._give({name: value})
                if _holds(self.controls[name], value):
                    break
            else:  # a slider takes the nearest it has
                self._give(before)
                offers = f"{name} must be a value its control offers"
                raise ValueError(f"{offers}; got {brief(value)}") from next(iter(problems), None)
            raised += problems
        return raised

    def _give(self, values: Mapping[str, Any]) -> list[Exception]:
        """Give controls these values without computing, and return what they or callbacks raise."""
        raised, self._quiet = [], True
        try:
            for name, value in values.items():
                try:
                    self.controls[name].value = value
                except Exception as problem:
                    raised.append(problem)
        finally:
            self._quiet = False
        return raised

    @alone
    def reset(self) -> None:
        """Go back to the settings and the position the explorer opened with."""
        try:
            self.set(**self._first)
        finally:
            self.player.move(**{axis.name: axis.start for axis in self.scene.axes})

    def _restart(self) -> None:
        self._hand(self._first)

    def _hand(self, values: Mapping[str, Any], **news: Any) -> None:
        """Put controls where a hand has them, and compute; what a callback raised comes last."""
        raised = self._give(values)
        self._refresh(**news)
        _raise_first(raised)

    @alone
    def _changed(self, _: Any) -> None:
        if not self._quiet:
            self._refresh()

    def _edited(self, edit: Mapping[str, Any]) -> None:
        """Take a handle to where a hand has it; the page puts it where Python says it is now."""
        done = {"edit": [edit["author"], edit["number"]]}
        for handle in self.scene.handles:
            if handle.trace == edit["handle"]:
                self._hand(handle.values(edit["place"]), **done)
                return
        self._tell(**done)  # the scene it was in has gone

    def _needed(self, values: dict[str, Any]) -> list[str]:
        """Return which controls matter at these values."""
        needed = self._shown_when
        return [name for name in self.controls if name not in needed or needed[name](values)]

    def _show_controls(self) -> None:
        needed = self._needed(self.values)
        for name in self._shown_when:
            self.controls[name].layout.display = None if name in needed else "none"

    def _refresh(self, **news: Any) -> None:
        """Compute after a hand moved a control, or say why not."""
        try:
            self._compute(**news)
        except (Exception, KeyboardInterrupt) as problem:
            self.trouble = f"{_why(problem)}. The picture is still the one before."
            self._tell(failed=self.state, why=self.trouble, **news)

    def _compute(self, **news: Any) -> None:
        self._show_controls()
        values, state = self.values, self.state
        self.scene = self._build(**values)
        self._built, self.trouble = values, ""
        drawn = {"settings": state, "failed": None} | news
        self.player.show(self.scene, self.player._drawn | drawn)

    def _tell(self, **news: Any) -> None:
        """Tell the page which settings have a picture, which have none and why."""
        self.player._drawn = self.player._drawn | news

    # --- on a page without Python ---

    def pieces(self) -> list[Piece]:
        """Return what of this can leave the notebook: the picture, and some settings for a page."""
        return [now._replace(settings=self._settings) for now in self.player.pieces()]

    def _settings(self) -> Settings:
        """Compute the picture at the settings it is shown with, and at some others."""
        built = self._built  # a field may hold what was refused since
        offered = [{**built, **change} for change in self._on_pages]
        names = self.controls if offered else self._needed(built)
        choices = [_choice(name, self.controls[name], built[name]) for name in names]
        if offered:
            choices = [_only(c, [values[c.name] for values in (built, *offered)]) for c in choices]
        choices = [choice for choice in choices if len(choice.options) > 1]
        if not offered:
            choices = _few(choices)
        scenes, taken, drawn = [self.scene], [[choice.now for choice in choices]], [built]
        settings = [[_place(c, values[c.name]) for c in choices] for values in offered]
        for setting in settings or _combinations(choices):
            if setting in taken:
                continue
            pairs = zip(choices, setting, strict=True)
            values = built | {c.name: c.options[option][1] for c, option in pairs}
            try:
                scenes.append(self._build(**values))
            except ValueError:  # a setting that the explorer would refuse is not on offer
                continue
            taken.append(setting)
            drawn.append(values)
        needed = [self._needed(values) for values in drawn]
        matter = [[choice.name in names for choice in choices] for names in needed]
        return Settings(scenes, choices, taken, matter, self._note(choices, scenes))

    def _note(self, choices: Sequence[Choice], scenes: Sequence[Scene]) -> str:
        """Return what the page says about what it can't do; nothing if it can do everything."""
        said = []
        if choices:
            how = "all their combinations" if _combined(choices) else "one change at a time"
            some = f"{len(scenes)} settings, {how}"
            said.append(f"The choices above were computed in advance: {some}.")
        if len(choices) < len(self.controls):
            said.append("Other controls need Python.")
        handles = [(s.place_of(handle), handle.trace) for s in scenes for handle in s.handles]
        if len(set(handles)) > len({trace for _, trace in handles}):
            said.append("What is dragged in the picture goes to the nearest setting.")
        elif handles:
            said.append("So does dragging in the picture.")
        return " ".join([*said, "The notebook computes the rest."]) if said else ""


def _holds(control: widgets.Widget, value: Any) -> bool:
    """Return whether a control has this value, which may be anything."""
    try:
        return bool(control.value == value)
    except Exception:
        return False


def _raise_first(problems: Sequence[Exception]) -> None:
    """Raise what a callback of a reader's own raised, if one did."""
    if problems:
        raise problems[0]


def _why(problem: BaseException) -> str:
    """Return in words what went wrong, without a full stop; users know the errors of ours."""
    if isinstance(problem, KeyboardInterrupt):
        return "The computation was interrupted"
    words = str(problem).strip().removesuffix(".")
    if isinstance(problem, ValueError) and words:
        return words
    return f"These settings have no picture ({type(problem).__name__}{words and ': '}{words})"


def _choice(name: str, control: widgets.Widget, value: Any) -> Choice:
    """Return what a control offers, with the value of now; what is open-ended offers that alone."""
    values: Any = [value]
    if isinstance(value, bool):
        values = [("no", False), ("yes", True)]
    elif hasattr(control, "options"):
        values = control.options.items() if isinstance(control.options, dict) else control.options
    elif isinstance(value, tuple):  # both ends of a range
        values = [(" to ".join(map(number_text, value)), value)]
    elif hasattr(control, "min") and not isinstance(control, widgets.FloatLogSlider):
        values = sorted({control.min, value, control.max})
    options = [
        entry
        if isinstance(entry, tuple)
        else (number_text(entry) if isinstance(entry, (int, float)) else str(entry), entry)
        for entry in values
    ]
    now = [entry for _, entry in options].index(value)
    return Choice(name, control.description or name, options, now)


def _only(choice: Choice, values: Sequence[Any]) -> Choice:
    """Return a choice among these values alone, one of which it opens with."""
    options = [option for option in choice.options if option[1] in values]
    return choice._replace(options=options, now=options.index(choice.options[choice.now]))


def _place(choice: Choice, value: Any) -> int:
    """Return the number of a choice's option."""
    return [entry for _, entry in choice.options].index(value)


def _combined(choices: Sequence[Choice]) -> bool:
    return prod(len(choice.options) for choice in choices) <= _MOST


def _few(choices: Sequence[Choice]) -> list[Choice]:
    """Return choices whose settings, one change at a time, are few; ends and openings stay."""
    few = list(choices)
    while not _combined(few) and sum(len(c.options) - 1 for c in few) >= _MOST:
        longest = max(range(len(few)), key=lambda which: len(few[which].options))
        _, _, options, now = few[longest]
        inner = [n for n in range(1, len(options) - 1) if n != now]
        if not inner:
            break
        dropped = inner[len(inner) // 2]
        few[longest] = few[longest]._replace(
            options=options[:dropped] + options[dropped + 1 :], now=now - (dropped < now)
        )
    return few


def _combinations(choices: Sequence[Choice]) -> list[list[int]]:
    """Return the options of each setting: all combinations, or the others one at a time."""
    if _combined(choices):
        return [list(both) for both in product(*(range(len(c.options)) for c in choices))]
    now = [choice.now for choice in choices]
    return [
        [*now[:which], option, *now[which + 1 :]]
        for which, choice in enumerate(choices)
        for option in range(len(choice.options))
        if option != choice.now
    ]
