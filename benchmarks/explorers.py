"""Explorers: every one of them in JupyterLab, until its first picture and from key to picture.

First display runs from the start of the cell, computation included, in a page that has plotly.js
and a kernel that has computed nothing yet. The slowest slider of each is compared with a bare
`Plotly.update` from JavaScript, which is a restyle that can move shapes too: a copy of the picture
beside it, whose slider hands Plotly the same values of whatever changes. They take turns, 10 key
presses each; medians of 20.
"""

from __future__ import annotations

import inspect
import statistics
import subprocess
import sys
from typing import Any

from lab import LAST_CHANGE, open_lab, press, show
from rows import Row

import overparam_edu as oe

PRESSES, STOPS = 10, 10
# A first player, so that plotly.js is in the page.
PLAYER = """
import plotly.graph_objects as go
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Scene
Player(Scene(go.Figure(go.Scatter()), [Axis("step", "step", [0, 1])], []))
"""
# Milliseconds that a walk down five stops takes.
WALK = """async (input, last) => {
    const root = input.closest('.oe-player'), start = performance.now();
    for (let n = 0; n < 5; n += 1) {
        const before = root.dataset.frames;
        input.value = Number(input.value) === 0 ? last : Number(input.value) - 1;
        input.dispatchEvent(new Event('input'));
        while (root.dataset.frames === before) await new Promise(requestAnimationFrame);
    }
    return performance.now() - start;
}"""
# Walk the slider over its first stops and remember what changes in the picture; then add a
# copy of the picture with a slider of its own, for the same stops.
BARE = """async (input, last) => {
    const root = input.closest('.oe-player'), source = root.querySelector('.oe-picture');
    const frame = () => new Promise(requestAnimationFrame);
    const is = value => value !== null && typeof value === 'object' && !ArrayBuffer.isView(value);
    const flat = (part, path = '') => !is(part) || (Array.isArray(part) && !part.some(is))
        || (Array.isArray(part) && Array.isArray(part[0])) ? [[path, part]]
        : Object.entries(part).flatMap(([key, value]) => flat(value,
            Array.isArray(part) ? `${path}[${key}]` : path ? `${path}.${key}` : key));
    const look = () => [...source.data, source.layout].map(part => flat(structuredClone(part)));
    const text = value => JSON.stringify(ArrayBuffer.isView(value) ? [...value] : value);
    const frames = [], parts = [...source.data, source.layout].map(() => new Set());
    for (let stop = 0; stop <= last; stop += 1) {
        const before = root.dataset.frames;
        input.value = stop;
        input.dispatchEvent(new Event('input'));
        while (stop && root.dataset.frames === before) await frame();
        if (!stop) await new Promise(done => setTimeout(done, 500));
        frames.push(look().map(Object.fromEntries));
        frames[stop].forEach((part, i) => Object.keys(part).forEach(key => {
            if (text(part[key]) !== text(frames[0][i][key])) parts[i].add(key);
        }));
    }
    parts.at(-1).delete('editrevision');
    const traces = [...source.data.keys()].filter(i => parts[i].size);
    if (!traces.length && !parts.at(-1).size) return false;
    const names = new Set(traces.flatMap(i => [...parts[i]]));
    const updates = frames.map(frame => [
        Object.fromEntries([...names].map(name => [name, traces.map(i => frame[i][name])])),
        Object.fromEntries([...parts.at(-1)].map(name => [name, frame.at(-1)[name]])),
    ]);
    const picture = document.createElement('div'), slider = document.createElement('input');
    const box = document.createElement('div');
    Object.assign(slider, { type: 'range', min: 0, max: last, value: last });
    slider.dataset.lmSuppressShortcuts = true;
    box.className = 'bare';
    box.append(picture, slider);
    root.after(box);
    const { data, layout } = structuredClone({ data: source.data, layout: source.layout });
    const config = { displayModeBar: false };
    await Plotly.newPlot(picture, data, { ...layout, width: source.clientWidth }, config);
    slider.addEventListener('input', () =>
        Plotly.update(picture, ...structuredClone(updates[slider.value]), traces));
    return true;
}"""


def explorers() -> list[str]:
    """Return the names of all explorers that need no argument."""
    names = [name for name in oe.__all__ if name.startswith("explore_")]
    return [name for name in names if not _needs(getattr(oe, name))]


def _needs(function: Any) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)


def slowest(root: Any) -> Any:
    """Return the slider with the slowest response."""
    sliders = root.locator("input[type=range]:visible:not([max='0'])").all()
    return max(sliders, key=lambda slider: slider.evaluate(WALK, int(slider.get_attribute("max"))))


def beside_bare(notebook: Any, root: Any, slider: Any) -> tuple[float, float, int]:
    """Return the median seconds of a slider and of a bare update, and our kernel messages."""
    last = min(int(slider.get_attribute("max")), STOPS)
    keys = ["ArrowRight" if n // last % 2 == 0 else "ArrowLeft" for n in range(PRESSES)]
    assert slider.evaluate(BARE, last), "nothing in the picture moves"
    box = notebook.page.locator(".bare")
    ours, bare, messages = [], [], 0
    for _ in range(2):
        for times, handle, watched in (
            (ours, slider, root.locator(".oe-picture")),
            (bare, box.locator("input"), box.locator("div").first),
        ):
            handle.press("Home")
            notebook.page.wait_for_timeout(200)
            before = len(notebook.sent)
            times += press(notebook, handle, watched, keys, LAST_CHANGE, pause=0)
            messages += len(notebook.sent) - before if times is ours else 0
    box.evaluate("box => { Plotly.purge(box.firstChild); box.remove(); }")
    return statistics.median(ours) / 1000, statistics.median(bare) / 1000, messages


def rows() -> list[Row]:
    found: list[Row] = []
    # Byte code of all they import stands, as an installer leaves it.
    once = f"import overparam_edu as oe\nfor name in {explorers()}: getattr(oe, name)()"
    subprocess.run([sys.executable, "-c", once], check=True)
    with open_lab() as lab:
        notebook = lab.run_cells("import overparam_edu as oe", "")
        show(notebook, PLAYER)
        for name in explorers():
            seconds, size = show(notebook, f"oe.{name}()")
            root = notebook.page.locator(".oe-player").first
            slider = slowest(root)
            ours, bare, messages = beside_bare(notebook, root, slider)
            what = f"`{name}`: key press on “{slider.get_attribute('aria-label')}”"
            found += [
                Row(f"`{name}`: first display", seconds),
                Row(what, ours, "s", "a bare `Plotly.update`", bare, times=1 / 1.5),
                Row(f"`{name}`: bytes", size, "bytes"),
                Row(f"`{name}`: kernel messages while sliding", messages, "", most=0),
            ]
    return found
