"""What every picture of a notebook can do: save itself, and put in words what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overparam_edu.player.frames import describe

_MOVES = "(A picture that moves where Jupyter shows widgets.)"


class Saves:
    """Methods of explorers and players that save what they show."""

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return what Jupyter shows: the widget, or words where it can't show widgets."""
        bundle = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        player: Any = getattr(self, "player", self)
        words = [describe(player.scene, player.position), player.scene.alt, _MOVES]
        # The widget library gives its data alone, or with metadata.
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = "\n".join(dict.fromkeys(words))
        return bundle

    def save_html(self, path: str | Path, *, title: str | None = None) -> Path:
        """Save this as one file that moves in any browser; `overparam_edu.save_html` says more.

        Parameters
        ----------
        path : str or Path
        title : str, optional
            Of the page; by default what the picture shows.

        Returns
        -------
        Path
        """
        from overparam_edu.player.page import save_html

        return save_html(self, path, title=title)

    def save_png(self, path: str | Path, *, width: int = 1280, scale: float = 2.0) -> Path:
        """Save what this shows now as a PNG; `overparam_edu.save_png` says more.

        Parameters
        ----------
        path : str or Path
        width : int
            In CSS pixels.
        scale : float
            Pixels of the file per CSS pixel.

        Returns
        -------
        Path
        """
        from overparam_edu.player.pictures import save_png

        return save_png(self, path, width=width, scale=scale)

    def save_gif(
        self,
        path: str | Path,
        *,
        axis: str | None = None,
        width: int = 960,
        frames: int = 40,
        seconds: float = 6.0,
    ) -> Path:
        """Save the walk of a slider as an animated GIF; `overparam_edu.save_gif` says more.

        Parameters
        ----------
        path : str or Path
        axis : str, optional
            Name of the slider; by default the one with a Play button, or else the longest.
        width : int
            In pixels.
        frames : int
            At most so many.
        seconds : float
            Of one round.

        Returns
        -------
        Path
        """
        from overparam_edu.player.pictures import save_gif

        return save_gif(self, path, axis=axis, width=width, frames=frames, seconds=seconds)
