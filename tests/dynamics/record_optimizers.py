"""Record torch.optim's trajectories for the tests: python tests/dynamics/record_optimizers.py.

The recorded values stand in for torch where it is not installed; where it is, they are checked
against it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("recorded_optimizers.json")

PROBLEM = {
    "X": [[1.0, 0.5, -0.3], [0.2, -1.0, 0.7], [-0.6, 0.4, 1.1], [0.9, 0.8, 0.2], [0.1, -0.2, 0.5]],
    "y": [0.7, -0.4, 1.3, 0.2, 0.9],
    "p": 4,
    "start": [0.3, -0.2, 0.1],
    "steps": 50,
}
KEPT = [0, 1, 2, 3, 5, 10, 20, 35, 50]

# Ours, its arguments, torch's, its arguments.
CASES: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("GradientDescent", {"learning_rate": 0.05}, "SGD", {"lr": 0.05}),
    ("GradientDescent", {"learning_rate": 0.2}, "SGD", {"lr": 0.2}),
    *(
        (
            "Momentum",
            {"learning_rate": rate, "momentum": beta, "nesterov": nesterov},
            "SGD",
            {"lr": rate, "momentum": beta, "nesterov": nesterov},
        )
        for rate, beta, nesterov in [
            (0.05, 0.9, False),
            (0.02, 0.99, False),
            (0.05, 0.9, True),
            (0.1, 0.5, True),
        ]
    ),
    ("AdaGrad", {}, "Adagrad", {}),
    ("AdaGrad", {"learning_rate": 0.3}, "Adagrad", {"lr": 0.3}),
    ("AdaGrad", {"learning_rate": 0.3, "eps": 1e-2}, "Adagrad", {"lr": 0.3, "eps": 1e-2}),
    ("AdaDelta", {}, "Adadelta", {}),
    (
        "AdaDelta",
        {"learning_rate": 0.5, "decay": 0.95, "eps": 1e-4},
        "Adadelta",
        {"lr": 0.5, "rho": 0.95, "eps": 1e-4},
    ),
    ("RMSProp", {}, "RMSprop", {}),
    (
        "RMSProp",
        {"learning_rate": 0.03, "decay": 0.9, "eps": 1e-4},
        "RMSprop",
        {"lr": 0.03, "alpha": 0.9, "eps": 1e-4},
    ),
    ("Adam", {}, "Adam", {}),
    (
        "Adam",
        {"learning_rate": 0.1, "betas": [0.8, 0.95], "eps": 1e-3},
        "Adam",
        {"lr": 0.1, "betas": [0.8, 0.95], "eps": 1e-3},
    ),
]


def torch_points(
    problem: dict[str, Any], name: str, arguments: dict[str, Any]
) -> list[list[float]]:
    """Return the parameters at every step of ``torch.optim``'s optimizer of that name."""
    import torch

    X, y, w = (torch.tensor(problem[key], dtype=torch.float64) for key in ("X", "y", "start"))
    w.requires_grad_()
    optimizer = getattr(torch.optim, name)([w], **arguments)
    points = [w.tolist()]
    for _ in range(problem["steps"]):
        optimizer.zero_grad()
        (((X @ w - y) ** problem["p"]).sum() / problem["p"]).backward()
        optimizer.step()
        points.append(w.tolist())
    return points


def main() -> None:
    """Write the recorded values."""
    import torch

    cases = []
    for ours, arguments, theirs, their_arguments in CASES:
        points = torch_points(PROBLEM, theirs, their_arguments)
        cases.append(
            {
                "optimizer": ours,
                "arguments": arguments,
                "torch": theirs,
                "torch_arguments": their_arguments,
                "points": [points[step] for step in KEPT],
            }
        )
    recorded = {
        "by": f"torch {torch.__version__.split('+')[0]}",
        "problem": PROBLEM,
        "kept": KEPT,
        "cases": cases,
    }
    RECORDED.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
