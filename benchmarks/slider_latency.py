"""Depth slider: from the key press to the redrawn picture, the same picture drawn five ways.

All five stand in one page of a real JupyterLab: our player, a FigureWidget, `interact` with
matplotlib, a bare `Plotly.restyle` from JavaScript, and for the floor a slider that only writes its
value into the page. They take turns, 10 key presses each; medians of 30. Then Play, and what went
over the wire: bytes of the outputs, and messages to the kernel during 60 key presses and Play.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

from lab import DRAWN, open_lab, press
from rows import FLOOR, Row

ROUNDS, WARM, PRESSES = 3, 2, 10

SETUP = """
import ipywidgets, numpy as np, plotly.graph_objects as go, matplotlib.pyplot as plt
from plotly.subplots import make_subplots
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Scene, Track
%matplotlib inline
depths, steps, colours = np.arange(2, 17) / 2, np.arange(300), ["#0b5cad", "#d9480f"]
rate = 0.004 * depths[:, None]
w1, w2 = 1 - np.exp(-rate * steps), 0.1 + 0.4 * np.exp(-3 * rate * steps)
loss = ((w1 - 1) ** 4 + (w2 - 0.1) ** 4) / 4 + 1e-9
grid = np.linspace(-0.5, 1.5, 60)
bowl = np.log10(((grid - 1) ** 4 + (grid[:, None] - 0.1) ** 4) / 4 + 1e-6)

def figure():
    figure = make_subplots(1, 2)
    figure.add_trace(go.Contour(x=grid, y=grid, z=bowl, ncontours=20, showscale=False), 1, 1)
    for mode, column in [("lines", 1), ("lines", 2), ("markers", 1), ("markers", 2)]:
        for colour in colours:
            style = dict(line_width=4) if mode == "lines" else dict(marker_size=14)
            name = str(len(figure.data))  # "1" to "8"
            trace = go.Scatter(uid=name, mode=mode, **style, marker_color=colour)
            figure.add_trace(trace, 1, column)
    figure.update_xaxes(range=[-0.5, 1.5]).update_yaxes(range=[-0.5, 1.5])
    figure.update_xaxes(range=[0, 300], row=1, col=2)
    figure.update_yaxes(type="log", range=[-9, 0], row=1, col=2)
    return figure.update_layout(showlegend=False, height=420, font_size=18)

def drawn(depth):  # x and y of traces 1 to 8: depth N beside depth 1
    runs = (depth, 0)
    lines = [*((w1[run], w2[run]) for run in runs), *((steps, loss[run]) for run in runs)]
    return lines + [(x[-1:], y[-1:]) for x, y in lines]
"""
PLAYER = """
def scene():
    axes = [Axis("depth", "depth N", depths), Axis("step", "step", steps, start=299, play=True)]
    both, tracks = ["depth", "step"], []
    for trace, trail in ((1, "step"), (5, None)):  # the line, then the marker at its head
        for k, (run, follow) in enumerate([(slice(None), both), (0, ["step"])]):
            for panel, x, y in [(0, w1[run], w2[run]), (2, steps, loss[run])]:
                which, own = str(trace + panel + k), ["step"] if panel else follow
                tracks.append(Track(which, "x", x, own, trail))
                tracks.append(Track(which, "y", y, follow, trail))
    return Scene(figure(), axes, tracks)
Player(scene())
"""
FIGURE_WIDGET = """
widget = go.FigureWidget(figure().update_layout(width=WIDTH))
slider = ipywidgets.IntSlider(0, 0, len(depths) - 1)
def move(change):
    with widget.batch_update():
        for trace, (x, y) in zip(widget.data[1:], drawn(slider.value)):
            trace.x, trace.y = x, y
slider.observe(move, "value")
move(None)
ipywidgets.VBox([widget, slider]).add_class("figure-widget")
"""
MATPLOTLIB = """
def picture(depth):
    panels = plt.subplots(1, 2, figsize=(10, 4.2))[1]
    panels[0].contourf(grid, grid, bowl, 20)
    for i, (x, y) in enumerate(drawn(depth)):
        style = dict(lw=4) if i < 4 else dict(marker="o", ms=11)
        panels[i % 4 // 2].plot(x, y, color=colours[i % 2], **style)
    panels[1].set(yscale="log", ylim=(1e-9, 1), xlim=(0, 300))
    plt.show()
box = ipywidgets.interactive(picture, depth=ipywidgets.IntSlider(0, 0, len(depths) - 1))
box.add_class("matplotlib")
"""
DRAWN_JSON = "import json; print(json.dumps([[[list(map(float, a)) for a in p] for p in drawn(d)]"
DRAWN_JSON += " for d in range(len(depths))]))"

ADD_CELL = """async code => {
    const { commands, shell } = jupyterapp, { content } = shell.currentWidget;
    content.activeCellIndex = content.widgets.length - 1;
    await commands.execute('notebook:insert-cell-below');
    content.activeCell.model.sharedModel.setSource(code);
    await commands.execute('notebook:run-cell');
    await content.scrollToItem(content.activeCellIndex, 'end');
}"""
# The same figure with a native slider whose handler is one Plotly.restyle, and a slider alone.
BARE = """async frames => {
    const home = document.querySelector('.oe-player');
    const add = (name, ...children) => {
        const slider = document.createElement('input'), box = document.createElement('div');
        Object.assign(slider, { type: 'range', min: 0, max: frames.length - 1, value: 0 });
        slider.dataset.lmSuppressShortcuts = true;
        box.className = name;
        box.append(...children, slider);
        home.after(box);
        return slider;
    };
    const picture = document.createElement('div'), words = document.createElement('output');
    const source = home.querySelector('.oe-picture');
    const layout = structuredClone(source.layout), data = structuredClone(source.data);
    const idle = add('idle', words), slider = add('bare', picture);
    await Plotly.newPlot(picture, data, { ...layout, width: source.clientWidth });
    slider.addEventListener('input', () => {
        const pairs = frames[slider.value];
        const update = { x: pairs.map(([x]) => x), y: pairs.map(([, y]) => y) };
        Plotly.restyle(picture, update, [1, 2, 3, 4, 5, 6, 7, 8]);
    });
    idle.addEventListener('input', () => (words.textContent = idle.value));
}"""
# Redraws per second while our player plays its 300 steps once.
PLAY = """async root => {
    const count = () => Number(root.dataset.frames);
    await new Promise(done => setTimeout(done, 500));
    const start = performance.now(), first = count();
    while (root.querySelector('button.oe-pause')) await new Promise(requestAnimationFrame);
    return (count() - first) / (performance.now() - start) * 1000;
}"""
# Animation frames per second of a page at rest.
SCREEN = """async () => {
    const start = performance.now();
    for (let n = 0; n < 60; n += 1) await new Promise(requestAnimationFrame);
    return 60_000 / (performance.now() - start);
}"""
# The slider of each way, and the part of the page that changes.
WAYS = {
    "player": (".oe-player [data-axis=depth] input", ".oe-player .cartesianlayer"),
    "FigureWidget": (".figure-widget [role=slider]", ".figure-widget .cartesianlayer"),
    "matplotlib": (".matplotlib [role=slider]", ".matplotlib .widget-output"),
    "restyle": (".bare input", ".bare .cartesianlayer"),
    "nothing": (".idle input", ".idle output"),
}


def add(notebook: Any, code: str, ready: str) -> int:
    """Add and run a cell, wait for `ready`, and return the bytes that came."""
    before = sum(notebook.received)
    notebook.page.evaluate(ADD_CELL, code)
    notebook.page.locator(ready).first.wait_for(state="attached", timeout=60_000)
    notebook.page.wait_for_timeout(1500)
    return sum(notebook.received) - before


def latencies(notebook: Any) -> tuple[dict[str, float], int]:
    """Return the median seconds of each way, and the kernel messages that ours caused."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    messages = 0
    for turn in range(ROUNDS):
        for way, (slider, picture) in WAYS.items():
            before = len(notebook.sent)
            parts = [notebook.page.locator(part).first for part in (slider, picture)]
            keys = ["ArrowLeft" if turn % 2 else "ArrowRight"] * (WARM + PRESSES)
            times[way] += press(notebook, *parts, keys)[WARM:]
            messages += len(notebook.sent) - before if way == "player" else 0
            notebook.page.evaluate("() => document.activeElement.blur()")
            notebook.page.wait_for_timeout(200)
    return {way: statistics.median(values) / 1000 for way, values in times.items()}, messages


def rows() -> list[Row]:
    with open_lab() as lab:
        notebook = lab.run_cells(SETUP)
        first = add(notebook, PLAYER, DRAWN)
        page = notebook.page
        before = len(notebook.sent)
        frames = page.evaluate(SCREEN)
        page.locator(".oe-player button.oe-play").press("Space")
        redraws = page.locator(".oe-player").evaluate(PLAY)
        silent = len(notebook.sent) - before
        page.evaluate(BARE, json.loads(notebook.run(DRAWN_JSON)))
        second = add(notebook, PLAYER, f":nth-match({DRAWN}, 2)")
        width = page.evaluate("() => document.querySelector('.oe-picture').clientWidth")
        code = FIGURE_WIDGET.replace("WIDTH", str(width))
        widget = add(notebook, code, ".figure-widget .cartesianlayer path.js-line")
        add(notebook, MATPLOTLIB + "box", ".matplotlib img")
        seconds, messages = latencies(notebook)
    what, ours = "key press to picture", seconds["player"]
    return [
        Row(what, ours, "s", "FigureWidget", seconds["FigureWidget"], times=2),
        Row(what, ours, "s", "`interact` + matplotlib", seconds["matplotlib"], times=6),
        Row(what, ours, "s", "a bare `Plotly.restyle`", seconds["restyle"], times=1 / 1.5),
        Row(what, ours, "s", FLOOR + "no picture", seconds["nothing"]),
        Row("redraws while playing", redraws, "/s", FLOOR + "frames at rest", frames, least=30),
        Row("kernel messages while a hand moves", messages, "", most=0),
        Row("kernel messages while playing", silent, "", most=0),
        Row("first player of a page", first, "bytes", "a FigureWidget", widget, most=5.2e6),
        Row("each further player", second, "bytes", "a FigureWidget", widget, most=100e3),
    ]
