"""The races on Auto MPG that lesson 00 opens with, recorded: its first picture waits for no run."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from overparam_edu.experiments.compare import TOLERANCES, Contest, contest_on_cars
from overparam_edu.experiments.curves import Curves, log_spaced
from overparam_edu.experiments.records import decode, encode

# Descent against descent from balanced starts, to depth 8: what `contest_on_cars` does unasked.
POWERS = (2.0, 4.0)
_FILE = "cars_races.json"
# What a picture needs of a contest. All is as computed but for the bands, which are cut to the
# records of a logarithmic axis and to seven digits, and each kept once.
_KEPT = ("chosen", "rates", "arrivals", "ahead_from", "diverged_at")


@cache
def recorded_race(p: float) -> Contest:
    """Return ``contest_on_cars(p)`` for the power 2 or 4 as it was recorded.

    Its bands have fewer iterations, those of its curves' ``steps``; the curves have no losses.
    """
    resource = files("overparam_edu.experiments") / "recorded" / _FILE
    document = json.loads(resource.read_text(encoding="utf-8"))[f"{p:g}"]
    found = {name: decode(**part) for name, part in document["arrays"].items()}
    steps, tried, seeds = (found.pop(name) for name in ("steps", "tried", "seeds"))
    none = np.empty((0, len(seeds), tried.shape[1]))
    lanes = [
        Curves(N, "gradient descent", p, "balanced", rates, seeds, steps, none, none)
        for N, rates in enumerate(tried, start=1)
    ]
    contest = Contest(lanes[0], tuple(lanes), document["least"], TOLERANCES)
    bands, which = found.pop("bands"), found.pop("which")
    iterations, excess = found.pop("iterations"), found.pop("excess")
    rates = np.concatenate([tried[:1], tried])  # lanes are the linear model, then the networks
    vars(contest).update(found, bands=bands[which], tuning=(rates, iterations, excess))
    return contest


def write_races(folder: str | Path) -> Path:
    """Run the races and write what `recorded_race` reads."""
    lines = []
    for p in POWERS:
        contest = contest_on_cars(p)
        steps = log_spaced(int(contest.linear.steps[-1]), count=91)  # those with a stop
        bands = contest.bands[..., np.searchsorted(contest.linear.steps, steps)]
        short = np.reshape([float(f"{value:.7g}") for value in bands.flat], bands.shape)
        rows, which = np.unique(short.reshape(-1, *short.shape[-2:]), axis=0, return_inverse=True)
        _, iterations, excess = contest.tuning
        arrays = {name: getattr(contest, name) for name in _KEPT} | {
            "steps": steps,
            "seeds": contest.linear.seeds,
            "tried": np.array([lane.rates for lane in contest.deep]),
            "iterations": iterations,
            "excess": excess,
            "bands": rows,
            "which": which.reshape(short.shape[:-2]),
        }
        kept = {name: encode(array) for name, array in arrays.items()}
        race = json.dumps({"least": contest.least, "arrays": kept}, separators=(",", ":"))
        lines.append(f'"{p:g}": {race}')
    target = Path(folder) / _FILE
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return target
