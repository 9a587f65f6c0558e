"""The plans of lectures: what they show, and what the instructor guide says of them."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from overparam_edu.publish import lesson_folder
from overparam_edu.publish.plans import HOMEWORK, RESULT, UNSEEN, Part, deck, plans

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "instructor_guide.md"


@pytest.mark.parametrize("minutes", sorted(plans()))
def test_a_plan_takes_the_time_in_its_name_and_its_sections_exist(minutes: str) -> None:
    plan = plans()[minutes]
    assert plan.starts()[-1] == int(minutes)
    assert [part.lesson for part in plan.parts].index(RESULT) == len(plan.parts) - 1
    for part in plan.parts[:-1]:
        [path] = lesson_folder().glob(f"{part.lesson}*.ipynb")
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        headings = {int(number) for number in re.findall(r"^## (\d+) ", text, flags=re.M)}
        assert set(part.sections) <= headings | {0}
        assert set(part.skip) <= {cell.id for cell in cells}
        assert {f"q-{name}" for name in part.questions} <= {cell.id for cell in cells}


@pytest.mark.parametrize("minutes", sorted(plans()))
def test_a_deck_shows_its_sections_in_order_and_runs_what_they_need(minutes: str) -> None:
    plan, cells = plans()[minutes], deck(minutes).cells
    shown = [cell for cell in cells if UNSEEN not in cell.metadata.get("tags", ())]
    seen = [(cell.metadata["part"], cell.metadata["section"]) for cell in shown]
    assert sorted(set(seen)) == [
        (number, section) for number, part in enumerate(plan.parts) for section in part.sections
    ]
    assert [part for part, _ in seen] == sorted(part for part, _ in seen)
    assert shown[-1].id == RESULT
    assert len({cell.id for cell in cells}) == len(cells)  # an address names one place
    assert all(HOMEWORK.isdisjoint(cell.metadata.get("tags", ())) for cell in cells)
    for cell in shown:
        for skipped in plan.parts[cell.metadata["part"]].skip:
            assert not cell.id.startswith(skipped)
    imports = [cell for cell in cells if "import overparam_edu as oe" in cell.source]
    assert {cell.metadata["lesson"][:2] for cell in imports} == {p.lesson for p in plan.parts[:-1]}


@pytest.mark.slow
@pytest.mark.parametrize("minutes", sorted(plans()))
def test_a_deck_runs(minutes: str, tmp_path: Path) -> None:
    """Lessons share a kernel here: none may need what another one has put another thing for."""
    from nbclient import NotebookClient

    notebook = deck(minutes)
    options = {"timeout": 300, "kernel_name": "python3"}
    NotebookClient(notebook, **options, resources={"metadata": {"path": str(tmp_path)}}).execute()


def test_the_guide_says_what_the_plans_show() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for minutes, plan in plans().items():
        rows = [
            f"| {start} | {_place(part)} | {part.say} |"
            for start, part in zip(plan.starts(), plan.parts, strict=False)
        ]
        title = f"### {minutes} minutes: {plan.title[0].lower()}{plan.title[1:]}"
        table = "\n".join([title, "", "| from | lesson | do |", "| --- | --- | --- |", *rows, ""])
        assert table in text, f"in {GUIDE.name} should stand:\n{table}"


def _place(part: Part) -> str:
    """Return a part's lesson and sections in words: "05, opening and sections 1 to 3"."""
    if part.lesson == RESULT:
        return "the result on one page"
    numbers = [number for number in part.sections if number]
    if len(numbers) == 1:
        words = f"section {numbers[0]}"
    elif numbers == list(range(numbers[0], numbers[-1] + 1)):
        words = f"sections {numbers[0]} to {numbers[-1]}"
    else:
        words = "sections " + ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
    return f"{part.lesson}, {'opening and ' if 0 in part.sections else ''}{words}"
