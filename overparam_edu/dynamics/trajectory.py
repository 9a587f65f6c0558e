"""What a run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overparam_edu._validation import Array, finite_array, whole_number
from overparam_edu.dynamics.linear_network import LinearNetwork, _imbalance


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The recorded points of one run, or of many lanes that ran side by side.

    The first axis is time; lanes follow; the parameter's own axes come last.

    Attributes
    ----------
    points : ndarray, shape (records, *lanes, *shape)
        End-to-end parameter at each record. NaN from the step at which a lane diverged.
    losses : ndarray, shape (records, *lanes)
        Loss at each record; NaN likewise.
    steps : ndarray of int, shape (records,)
        The step each record was made at; 0 is the start.
    times : ndarray, shape (records, *lanes)
        Step times learning rate, or the flow's own time.
    diverged_at : ndarray of int, shape (*lanes,)
        First step at which the lane left the finite range, -1 where it never did. A loss that
        overflows while its parameter is still finite is noticed at the next record.
    depth : ndarray, shape (*lanes,)
        ``N`` of each lane.
    weights : tuple of ndarray, shapes (records, *lanes, n_j, n_{j-1}), or None
        The layers at each record, where real layers were trained.
    """

    points: Array
    losses: Array
    steps: NDArray[np.int64]
    times: Array
    diverged_at: NDArray[np.int64]
    depth: Array
    weights: tuple[Array, ...] | None = None

    def __repr__(self) -> str:
        lanes = self.losses.shape[1:]
        head = f"Trajectory({self.steps[-1]} steps, lanes {lanes}, {len(self.steps)} records"
        diverged = int(np.count_nonzero(self.diverged_at >= 0))
        if not diverged:
            return head + ")"
        first = int(self.diverged_at[self.diverged_at >= 0].min())
        return f"{head}; {diverged} diverged, the first at step {first})"

    def steps_to(self, loss: Any) -> Array:
        """Return the first recorded step at which the loss is at most `loss`.

        Parameters
        ----------
        loss : array_like, shape (*lanes,)
            The level to reach.

        Returns
        -------
        ndarray, shape (*lanes,)
            Steps as floats, infinity where the level is not reached.

        Raises
        ------
        TypeError, ValueError
            If `loss` is not finite numbers or does not fit the lanes.

        Examples
        --------
        >>> from overparam_edu import GradientDescent, SeparableLp, descend
        >>> loss = SeparableLp([1.0], p=2)
        >>> run = descend(loss, [0.0], optimizer=GradientDescent(0.5), steps=9)
        >>> float(run.steps_to(0.01))
        3.0
        """
        level, lanes = finite_array("loss", loss), self.losses.shape[1:]
        try:
            reached = self.losses <= np.broadcast_to(level, lanes)
        except ValueError:
            raise ValueError(
                f"loss must broadcast to the lanes {lanes}; got shape {level.shape}"
            ) from None
        first = self.steps[np.argmax(reached, axis=0)].astype(float)
        return np.where(reached.any(axis=0), first, np.inf)

    def imbalance(self) -> Array:
        """Return the imbalance of the layers at each record, as `LinearNetwork.imbalance`.

        Returns
        -------
        ndarray, shape (records, *lanes)

        Raises
        ------
        ValueError
            If the run was of the end-to-end rule, which has no layers.
        """
        with np.errstate(over="ignore"):
            return _imbalance(self._layers())

    def network(self, record: int = -1) -> LinearNetwork:
        """Return the network at a record.

        Parameters
        ----------
        record : int
            Index into ``steps``; the last one if not given.

        Returns
        -------
        LinearNetwork

        Raises
        ------
        TypeError, ValueError
            If the run was of the end-to-end rule, the network had diverged by then, or there is
            no such record.
        """
        layers, count = self._layers(), len(self.steps)
        if whole_number("record", record, lower=-count) >= count:
            raise ValueError(f"record must be below {count}; got {record!r}")
        return LinearNetwork(tuple(W[record] for W in layers))

    def _layers(self) -> tuple[Array, ...]:
        if self.weights is None:
            raise ValueError("weights are recorded by train, not by the end-to-end rule")
        return self.weights
