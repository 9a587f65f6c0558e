"""The depth race on real data: `explore_regression`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import ipywidgets as widgets
import numpy as np

from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.contest import Contest
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.records import load_record
from overparam_edu.experiments.regression import (
    OPTIMIZERS,
    Curves,
    curvature_at_zero,
    learning_curves,
    least_loss,
)
from overparam_edu.views.explorer import Explorer
from overparam_edu.views.regression_scene import contest_scene
from overparam_edu.views.scene import Scene

_GD = "gradient descent"
_DEPTHS = range(1, 9)
_STEPS = 1_000
# Learning rates to try on Auto MPG; those of gradient descent depend on the power of the loss.
_RATES = {
    "AdaGrad": np.geomspace(0.03, 1.0, 15),
    "AdaDelta": np.geomspace(0.1, 30.0, 15),
    "Adam": np.geomspace(0.01, 1.0, 15),
}
_TOLERANCES = {"cars": (0.1, 0.01, 0.001, 0.0001), "gas": (3.0, 1.0, 0.5, 0.2, 0.1)}
# What was recorded on the gas data: by name, for each power the record of the networks, their
# optimizer, the record of the linear model, and its optimizer.
_RECORDED: Mapping[str, Mapping[float, tuple[str, str, str, str]]] = {
    "p = 2 beside p = 4": {
        2: ("gas_l2", _GD, "gas_l2", _GD),
        4: ("gas_l4_seeds", _GD, "gas_l4_seeds", _GD),
    },
    "p = 2": {2: ("gas_l2", _GD, "gas_l2", _GD)},
    "p = 4": {4: ("gas_l4_seeds", _GD, "gas_l4_seeds", _GD)},
    "p = 4, ten times as long": {4: ("gas_l4", _GD, "gas_l4", _GD)},
    "p = 4: against AdaGrad": {4: ("gas_l4", _GD, "gas_l4", "AdaGrad")},
    "p = 4: against AdaDelta": {4: ("gas_l4", _GD, "gas_l4", "AdaDelta")},
    "p = 4: against Adam": {4: ("gas_l4_seeds", _GD, "gas_adam", "Adam")},
    "p = 4: Adam against Adam": {4: ("gas_adam", "Adam", "gas_adam", "Adam")},
}


def explore_regression() -> Explorer:
    r"""Return the depth race on real data as a widget: networks against the linear model.

    Loss above the minimum against iteration, at depth ``N`` (orange) and at depth 1 (grey,
    dashed), with the range of three seeds as a band, for hidden layers of width 1. On Auto MPG (392
    cars, 7 features, standardised, mean loss) runs are computed here, for any power, optimizer and
    start on offer; on the talk's gas data they are recorded. With one power, the learning rates
    tried are drawn beside the race, with the one chosen. Depth, iteration, the tolerance that
    counts as arrived, whose learning rate is used and the axes move in the browser (talk,
    "experiments"; paper, section 8).

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_regression()  # doctest: +SKIP
    >>> explorer.set(p=4, rival="AdaGrad")  # doctest: +SKIP
    """
    words = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
    controls: dict[str, widgets.Widget] = {
        "data": widgets.ToggleButtons(
            options=[("Auto MPG", "cars"), ("gas, recorded", "gas")], description="data", **words
        ),
        "p": widgets.ToggleButtons(
            options=[("2 beside 4", 0), ("2", 2), ("3", 3), ("4", 4), ("6", 6)],
            description="power p",
            **words,
        ),
        "optimizer": widgets.Dropdown(
            options=list(OPTIMIZERS), description="depth N trained with", **words
        ),
        "rival": widgets.Dropdown(
            options=[("the same", ""), *((name, name) for name in OPTIMIZERS)],
            description="against depth 1 with",
            **words,
        ),
        "start": widgets.ToggleButtons(
            options=["balanced", "near zero"], description="layers start", **words
        ),
        "recorded": widgets.Dropdown(options=_available(), description="runs", **words),
    }
    for name in ("data", "p", "start"):
        controls[name].style.button_width = "auto"
    here = dict.fromkeys(("p", "optimizer", "rival", "start"), _on_cars)
    return Explorer(
        _scene, controls, shown_when=here | {"recorded": lambda values: not _on_cars(values)}
    )


def _available() -> list[str]:
    """Return the names of the recorded races whose records are part of this copy."""
    folder = files("overparam_edu.experiments") / "recorded"
    return [
        name
        for name, sides in _RECORDED.items()
        if all((folder / f"{kept}.json").is_file() for side in sides.values() for kept in side[::2])
    ]


def _on_cars(values: Mapping[str, object]) -> bool:
    return values["data"] == "cars"


@lru_cache(maxsize=32)
def _scene(*, data: str, p: float, optimizer: str, rival: str, start: str, recorded: str) -> Scene:
    if data == "gas":
        runs = _RECORDED[recorded]
        sides = {power: _recorded(*names) for power, names in runs.items()}
        first = next(iter(sides.values())).linear
        note = f"gas data (2,565 × 128), recorded; seeds: {len(first.seeds)}"
        return contest_scene(sides, note=note)
    powers = (2.0, 4.0) if p == 0 else (float(p),)
    sides = {power: _on_auto_mpg(power, optimizer, rival or optimizer, start) for power in powers}
    return contest_scene(sides, note="Auto MPG (392 × 7), computed here; band: range of 3 seeds")


def _recorded(deep: str, optimizer: str, linear: str, rival: str) -> Contest:
    networks, model = load_record(deep), load_record(linear)
    lanes = [lane for lane in networks.curves if lane.optimizer == optimizer]
    lanes.sort(key=lambda lane: lane.depth)
    return Contest(
        model.of(depth=1, optimizer=rival), tuple(lanes), model.least, _TOLERANCES["gas"]
    )


def _on_auto_mpg(p: float, optimizer: str, rival: str, start: str) -> Contest:
    cars = load_auto_mpg(standardized=True)
    deep = _curves(p, optimizer, start)
    linear = _curves(p, rival, start, depths=(1,)) if rival != optimizer else deep
    least = least_loss(LpRegression(cars.X, cars.y, p, reduction="mean"))
    return Contest(linear[0], deep, least, _TOLERANCES["cars"])


@lru_cache(maxsize=32)
def _curves(
    p: float, optimizer: str, start: str, *, depths: tuple[int, ...] = tuple(_DEPTHS)
) -> tuple[Curves, ...]:
    cars = load_auto_mpg(standardized=True)
    if optimizer == _GD:
        rates = 2 / curvature_at_zero(cars.X, cars.y, p) * np.geomspace(0.4, 2.5 * p, 15)
    else:
        rates = _RATES[optimizer]
    return learning_curves(
        cars.X,
        cars.y,
        p=p,
        depths=depths,
        optimizer=optimizer,
        rates=rates,
        steps=_STEPS,
        start=start,
        progress=False,
    )
