"""Lessons as pages and on the projector, and where their notebooks are."""

from pathlib import Path

FIRST_NOTEBOOK = "00_start_here.ipynb"
_PACKAGE = Path(__file__).resolve().parents[1]


def is_checkout(folder: Path) -> bool:
    """Return whether a folder is a copy of the repository."""
    return all(
        (folder / name).is_file() for name in ("pyproject.toml", f"notebooks/{FIRST_NOTEBOOK}")
    )


def own_checkout() -> Path | None:
    """Return the repository that this package runs from, or None if it was installed."""
    return _PACKAGE.parent if is_checkout(_PACKAGE.parent) else None


def lesson_folder() -> Path:
    """Return the folder of the course's notebooks: the checkout's, or that in the package."""
    checkout = own_checkout()
    return checkout / "notebooks" if checkout else _PACKAGE / "_notebooks"


def lesson_notebooks(folder: Path | None = None) -> list[Path]:
    """Return the lessons in a folder, in their order; by default those of the course."""
    return sorted((folder or lesson_folder()).glob("[0-9]*.ipynb"))
