"""Key press on a depth slider to redrawn picture, in one page of a real JupyterLab.

Four ways to draw the same picture: our player, a FigureWidget, `interact` with matplotlib, and a
bare ``Plotly.restyle`` from JavaScript. Only ratios mean something on a busy machine. Run it with
``python benchmarks/slider_latency.py``; it prints a table in Markdown.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

PRESSES = 30
ROOT = Path(__file__).resolve().parents[1]

SETUP = """
import ipywidgets, numpy as np, plotly.graph_objects as go, matplotlib.pyplot as plt
from plotly.subplots import make_subplots
from overparam_edu.views.player import Axis, Player, Scene, Track
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
            figure.add_trace(go.Scatter(mode=mode, **style, marker_color=colour), 1, column)
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
                which, own = trace + panel + k, ["step"] if panel else follow
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
JSLINK = """
slider, bar = ipywidgets.IntSlider(), ipywidgets.IntProgress()
ipywidgets.jslink((slider, "value"), (bar, "value"))
ipywidgets.VBox([slider, bar]).add_class("jslinked")
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
# The same figure with a native slider whose handler is one Plotly.restyle.
BARE = """async frames => {
    const home = document.querySelector('.oe-player');
    const picture = document.createElement('div'), slider = document.createElement('input');
    Object.assign(slider, { type: 'range', id: 'bare', min: 0, max: frames.length - 1, value: 0 });
    slider.dataset.lmSuppressShortcuts = true;
    const box = document.createElement('div');
    box.className = 'bare';
    box.append(picture, slider);
    home.after(box);
    const source = home.querySelector('.oe-picture');
    const layout = structuredClone(source.layout), data = structuredClone(source.data);
    await Plotly.newPlot(picture, data, { ...layout, width: source.clientWidth });
    slider.addEventListener('input', () => {
        const pairs = frames[slider.value];
        const update = { x: pairs.map(([x]) => x), y: pairs.map(([, y]) => y) };
        Plotly.restyle(picture, update, [1, 2, 3, 4, 5, 6, 7, 8]);
    });
}"""
# Time from the key's arrival in the page to the frame after the picture's first change.
ARM = """selector => {
    const watched = document.querySelector(selector);
    window.redrawn = new Promise(done => {
        let start = null;
        const begin = () => (start = performance.now());
        addEventListener('keydown', begin, { capture: true, once: true });
        const painted = () => requestAnimationFrame(() => {
            const channel = new MessageChannel();
            channel.port1.onmessage = () => done(performance.now() - start);
            channel.port2.postMessage(0);
        });
        const observer = new MutationObserver(async () => {
            if (start === null) return;
            const image = watched.querySelector('img');
            if (!image && !watched.closest('.js-plotly-plot')) return; // between two images
            observer.disconnect();
            if (image) await image.decode();
            painted();
        });
        observer.observe(watched, { subtree: true, childList: true, attributes: true });
    });
}"""


def load_harness() -> Any:
    """Return the tests' JupyterLab harness as a module."""
    path = ROOT / "tests" / "browser" / "conftest.py"
    spec = importlib.util.spec_from_file_location("lab_harness", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lab_harness"] = module
    spec.loader.exec_module(module)
    return module


def add(notebook: Any, code: str, ready: str) -> int:
    """Add and run a cell, wait for `ready`, and return the bytes that came."""
    before = sum(notebook.received)
    notebook.page.evaluate(ADD_CELL, code)
    notebook.page.locator(ready).first.wait_for(state="attached", timeout=60_000)
    notebook.page.wait_for_timeout(1500)
    return sum(notebook.received) - before


def presses(notebook: Any, slider: str, picture: str) -> tuple[list[float], int]:
    """Return the milliseconds of each press, and the kernel messages that all of them caused."""
    page = notebook.page
    page.locator(slider).first.scroll_into_view_if_needed()
    page.locator(slider).first.focus()
    times, before = [], len(notebook.sent)
    for number in range(PRESSES + 3):
        page.evaluate(ARM, picture)
        page.keyboard.press("ArrowRight" if number % 24 < 12 else "ArrowLeft")
        took = page.evaluate("() => redrawn")
        page.wait_for_timeout(120)
        if number >= 3:  # the first ones warm the machinery up
            times.append(took)
    return times, len(notebook.sent) - before


def frames_per_second(page: Any) -> float:
    """Return the redraws per second while our player plays its 300 steps once."""
    page.locator(".oe-player button").first.press("Space")
    return float(
        page.evaluate(
            """async () => {
                const root = document.querySelector('.oe-player');
                const count = () => Number(root.dataset.frames);
                await new Promise(done => setTimeout(done, 500));
                const start = performance.now(), first = count();
                while (root.querySelector('button.oe-on')) await new Promise(requestAnimationFrame);
                return (count() - first) / (performance.now() - start) * 1000;
            }"""
        )
    )


def measure(lab: Any) -> None:
    """Run everything in one page and print the tables."""
    notebook = lab.run_cells(SETUP)
    page = notebook.page
    drawn = ".oe-player:not([data-frames='0'])"
    first = add(notebook, PLAYER, drawn)
    times: dict[str, tuple[list[float], int]] = {}
    handle = ".oe-player [data-axis=depth] input"
    times["player"] = presses(notebook, handle, ".oe-player .cartesianlayer")
    before = len(notebook.sent)
    fps = frames_per_second(page)
    during_play = len(notebook.sent) - before

    page.evaluate(BARE, json.loads(notebook.run(DRAWN_JSON)))
    times["bare Plotly.restyle"] = presses(notebook, "#bare", ".bare .cartesianlayer")
    second = add(notebook, PLAYER, f":nth-match({drawn}, 2)")
    width = page.evaluate("() => document.querySelector('.oe-picture').clientWidth")
    code = FIGURE_WIDGET.replace("WIDTH", str(width))
    widget = add(notebook, code, ".figure-widget .cartesianlayer path.js-line")
    times["FigureWidget"] = presses(
        notebook, ".figure-widget [role=slider]", ".figure-widget .cartesianlayer"
    )
    add(notebook, MATPLOTLIB + "box", ".matplotlib img")
    times["interact + matplotlib"] = presses(
        notebook, ".matplotlib [role=slider]", ".matplotlib .widget-output"
    )
    add(notebook, JSLINK, ".jslinked [role=slider]")
    page.locator(".jslinked [role=slider]").focus()
    before = len(notebook.sent)
    for _ in range(PRESSES):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(120)
    linked = len(notebook.sent) - before
    report(times)
    print(f"\n- bytes: first player {first:,}, second {second:,}, a FigureWidget {widget:,}")
    print(f"- Play over 300 steps: {fps:.0f} redraws per second, {during_play} kernel messages")
    print(f"- an IntSlider under jslink: {linked / PRESSES:.2f} kernel messages per key press")


def report(times: dict[str, tuple[list[float], int]]) -> None:
    """Print the table of latencies."""
    ours = statistics.median(times["player"][0])
    print(f"Key press to redrawn picture, medians of {PRESSES}\n")
    print("| drawn by | ms | player / this | kernel messages per press |")
    print("| --- | ---: | ---: | ---: |")
    for name, (values, sent) in times.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.0f} | {ours / median:.2f} | {sent / (PRESSES + 3):.2f} |")


def main() -> None:
    """Start a server and a browser, measure, and stop both."""
    harness = load_harness()
    home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with home, harness.open_browser() as browser, harness.open_lab(Path(home.name), browser) as lab:
        measure(lab)


if __name__ == "__main__":
    main()
