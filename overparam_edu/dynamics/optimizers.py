"""How it moves: gradient descent and the explicit accelerators it is compared with.

Each optimizer is a frozen set of hyperparameters with two pure functions: ``start`` makes its
memory, ``step`` turns a gradient into what to subtract from the parameters. The definitions,
defaults and order of operations are those of ``torch.optim``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from overparam_edu.checks import Array, at_least, comparable, flag, number

Memory = tuple[Any, ...]


@comparable
@dataclass(frozen=True, eq=False)
class Optimizer(ABC):
    """A first-order optimizer: hyperparameters, ``start`` and ``step``.

    Parameters
    ----------
    learning_rate : array_like, step size, 0 or more; an array gives each lane its own

    Raises
    ------
    TypeError, ValueError
        If a rate is negative or not a finite number, or another hyperparameter is out of range.
    """

    learning_rate: Any
    _remembered: ClassVar[int] = 0  # arrays in the memory, each 0 before the first step

    def __post_init__(self) -> None:
        rate = at_least("learning_rate", self.learning_rate, 0.0)
        object.__setattr__(self, "learning_rate", rate)
        # Hyperparameters have the same names and ranges in every optimizer that has them.
        for name in ("momentum", "decay"):
            _fraction(name, getattr(self, name, 0.0))
        number("eps", getattr(self, "eps", 0.0), lower=0)
        flag("nesterov", getattr(self, "nesterov", False))

    def start(self, parameters: Array) -> Memory:
        """Return the memory before the first step.

        Parameters
        ----------
        parameters : ndarray, what is to be optimized, of any shape

        Returns
        -------
        tuple
        """
        return tuple(np.zeros_like(parameters) for _ in range(self._remembered))

    @abstractmethod
    def step(self, gradient: Array, memory: Memory) -> tuple[Array, Memory]:
        """Return what to subtract from the parameters, and the memory after it.

        Parameters
        ----------
        gradient : ndarray
            Of the shape of the parameters. ``learning_rate`` must broadcast with it as it is;
            `descend` and `train` see to that.
        memory : tuple
            From `start` or the step before.

        Returns
        -------
        move : ndarray
            To be subtracted from the parameters.
        memory : tuple
            For the next step.
        """


def _fraction(name: str, value: float) -> None:
    number(name, value, lower=0, upper=1)
    if value == 1:
        raise ValueError(f"{name} must be below 1; got {value!r}")


def _quotient(numerator: Array, denominator: Array) -> Array:
    """Return the quotient, 0 where nothing has moved yet (0 / 0 with ``eps = 0``)."""
    safe = np.where((denominator == 0) & (numerator == 0), 1.0, denominator)
    result: Array = numerator / safe
    return result


@dataclass(frozen=True, eq=False)
class GradientDescent(Optimizer):
    r"""Plain gradient descent, :math:`w \leftarrow w - \eta g`.

    Parameters
    ----------
    learning_rate : array_like
        :math:`\eta`, 0 or more; an array gives each lane its own.

    Examples
    --------
    >>> move, _ = GradientDescent(0.1).step(np.array([2.0]), ())
    >>> move
    array([0.2])
    """

    def step(self, gradient: Array, memory: Memory) -> tuple[Array, Memory]:
        return self.learning_rate * gradient, memory


@dataclass(frozen=True, eq=False)
class Momentum(Optimizer):
    r"""Heavy-ball or Nesterov momentum.

    :math:`v \leftarrow \beta v + g`, :math:`w \leftarrow w - \eta v`; Nesterov's form moves by
    :math:`g + \beta v` instead (Polyak 1964; Nesterov 1983, as in ``torch.optim.SGD``).

    Parameters
    ----------
    learning_rate : array_like
        :math:`\eta`.
    momentum : float
        :math:`\beta` in [0, 1).
    nesterov : bool
        Look ahead.
    """

    momentum: float = field(default=0.9, kw_only=True)
    nesterov: bool = field(default=False, kw_only=True)
    _remembered: ClassVar[int] = 1

    def step(self, gradient: Array, memory: Memory) -> tuple[Array, Memory]:
        velocity = self.momentum * memory[0] + gradient
        ahead = gradient + self.momentum * velocity if self.nesterov else velocity
        return self.learning_rate * ahead, (velocity,)


@dataclass(frozen=True, eq=False)
class AdaGrad(Optimizer):
    r"""AdaGrad, :math:`w \leftarrow w - \eta g / (\sqrt{\sum g^2} + \epsilon)` (Duchi et al. 2011).

    Parameters
    ----------
    learning_rate : array_like
        :math:`\eta`.
    eps : float
        :math:`\epsilon`, 0 or more.
    """

    learning_rate: Any = 1e-2
    eps: float = field(default=1e-10, kw_only=True)
    _remembered: ClassVar[int] = 1

    def step(self, gradient: Array, memory: Memory) -> tuple[Array, Memory]:
        total = memory[0] + gradient * gradient
        return self.learning_rate * _quotient(gradient, np.sqrt(total) + self.eps), (total,)


@dataclass(frozen=True, eq=False)
class RMSProp(Optimizer):
    r"""RMSProp: AdaGrad with a decaying mean of squares (Hinton 2012).

    Parameters
    ----------
    learning_rate : array_like
        :math:`\eta`.
    decay : float, weight of the past in the mean of squares, in [0, 1) (``alpha`` in torch)
    eps : float, added to the root, 0 or more
    """

    learning_rate: Any = 1e-2
    decay: float = field(default=0.99, kw_only=True)
    eps: float = field(default=1e-8, kw_only=True)
    _remembered: ClassVar[int] = 1

    def step(self, gradient: Array, memory: Memory) -> tuple[Array, Memory]:
        mean = self.decay * memory[0] + (1 - self.decay) * gradient * gradient
        return self.learning_rate * _quotient(gradient, np.sqrt(mean) + self.eps), (mean,)


@dataclass(frozen=True, eq=False)
class AdaDelta(Optimizer):
    r"""AdaDelta: steps in the units of the parameters (Zeiler 2012).

    Parameters
    ----------
    learning_rate : array_like, a factor on the method's own step, 1 in the original
    decay : float, weight of the past in both means of squares, in [0, 1) (``rho`` in torch)
    eps : float
        Added under the roots, above 0: without it the method never moves.
    """

    learning_rate: Any = 1.0
    decay: float = field(default=0.9, kw_only=True)
    eps: float = field(default=1e-6, kw_only=True)
    _remembered: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eps == 0:
            raise ValueError(f"eps must be positive; got {self.eps!r}")

    def step(self, gradient: Array, memory: Memory) -> tuple[Array, Memory]:
        squares, changes = memory
        squares = self.decay * squares + (1 - self.decay) * gradient * gradient
        change = np.sqrt(changes + self.eps) / np.sqrt(squares + self.eps) * gradient
        changes = self.decay * changes + (1 - self.decay) * change * change
        return self.learning_rate * change, (squares, changes)


@dataclass(frozen=True, eq=False)
class Adam(Optimizer):
    r"""Adam: momentum and RMSProp, both corrected for their start at 0 (Kingma and Ba 2015).

    Parameters
    ----------
    learning_rate : array_like
        :math:`\eta`.
    betas : tuple of float
        Weights of the past in the mean and in the mean of squares, each in [0, 1).
    eps : float, added to the root, 0 or more
    """

    learning_rate: Any = 1e-3
    betas: tuple[float, float] = field(default=(0.9, 0.999), kw_only=True)
    eps: float = field(default=1e-8, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1); got {self.betas!r}")
        for j, beta in enumerate(self.betas):
            _fraction(f"betas[{j}]", beta)

    def start(self, parameters: Array) -> Memory:
        return np.zeros_like(parameters), np.zeros_like(parameters), 0

    def step(self, gradient: Array, memory: Memory) -> tuple[Array, Memory]:
        mean, squares, t = memory
        first, second = self.betas
        t += 1
        mean = first * mean + (1 - first) * gradient
        squares = second * squares + (1 - second) * gradient * gradient
        root = np.sqrt(squares) / np.sqrt(1 - second**t) + self.eps
        return self.learning_rate / (1 - first**t) * _quotient(mean, root), (mean, squares, t)
