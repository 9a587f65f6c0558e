"""Pictures and pages from the command line: what they set, and what they refuse by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from overparam_edu import cli
from overparam_edu.player.explorer import Explorer
from overparam_edu.publish import pages


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Path, dict[str, Any]]]:
    seen: list[tuple[Any, Path, dict[str, Any]]] = []

    def save(self: Any, path: str, **options: Any) -> Path:
        seen.append((self, Path(path), options))
        Path(path).write_bytes(b"picture")
        return Path(path)

    monkeypatch.setattr(Explorer, "save", save)
    return seen


def test_sliders_and_controls_are_set_by_value(saved: list[Any], tmp_path: Path) -> None:
    words = ["picture", "warm_up", "--rate", "0.1", "--time=40", "--p", "4", "--dark"]
    words += ["--inches", "5", "4", "-o"]
    assert cli.main([*words, str(tmp_path / "a.pdf")]) == 0
    [(explorer, path, options)] = saved
    assert path == tmp_path / "a.pdf"
    assert explorer.values["p"] == 4
    stands = {
        axis.name: axis.stops[explorer.player.position[axis.name]]
        for axis in explorer.player.scene.axes
    }
    times = next(axis.stops for axis in explorer.player.scene.axes if axis.name == "time")
    assert stands["time"] == min(times, key=lambda time: abs(time - 40))
    assert options["dark"] is True
    assert options["inches"] == (5, 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("picture nothing", "explorer must be one of convnet, .*; got nothing"),
        ("picture warm_up --foo 3", "there is no --foo; what can be set, .*--rate .*--p "),
        ("picture warm_up --p 7", "p must be a value its control offers; got 7"),
        ("picture warm_up --time soon", "--time must be a number; got soon"),
        ("picture warm_up --time", "settings must be pairs such as --depth 3; got --time"),
        ("picture warm_up 3 4", "settings must be pairs"),
        ("picture convnet --term none", "--term must be one of total loss, .*; got none"),
        ("picture warm_up -o a.jpg", r"path must end in one of .*; got 'a\.jpg'"),
    ],
)
def test_what_is_unknown_is_refused_by_name(capsys: Any, words: str, said: str) -> None:
    assert cli.main(words.split()) == 2
    assert re.search(said, capsys.readouterr().err)


def test_alone_it_says_what_can_be_set(capsys: Any) -> None:
    assert cli.main(["picture", "warm_up"]) == 0
    said = capsys.readouterr().out
    assert all(f"--{name} " in said for name in ("rate", "time", "view", "p", "scale"))


def test_other_commands_refuse_what_they_do_not_know(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        cli.main(["claims", "--foo", "3"])
    assert "unrecognized arguments: --foo" in capsys.readouterr().err


def test_pages_take_numbers_as_present_does(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    seen: list[Any] = []

    def build(out: str, **options: Any) -> pages.Pages:
        seen.append(options)
        return pages.Pages(tmp_path, (), 0)

    monkeypatch.setattr(pages, "build_pages", build)
    assert cli.main(["pages", "05", "00", "--out", "o", "--url", "https://example.org"]) == 0
    [options] = seen
    assert [path.name[:2] for path in options["notebooks"]] == ["05", "00"]
    assert options["url"] == "https://example.org"
    assert cli.main(["pages", "99", "--out", "o"]) == 2
    assert "notebook must be a path, or begin one of" in capsys.readouterr().err
