"""Run All: every lesson in JupyterLab, from the command to the end of its last cell.

Each runs in a fresh kernel and a fresh page. The floor is a notebook that only imports the
libraries that the lessons use.
"""

from __future__ import annotations

from lab import open_lab
from rows import FLOOR, Row

from overparam_edu.publish.pages import lesson_notebooks

IMPORTS = "import anywidget, numpy, scipy.integrate, sympy, plotly.graph_objects"


def rows() -> list[Row]:
    with open_lab() as lab:
        floor = lab.run_cells(IMPORTS).seconds
        found = []
        for path in lesson_notebooks():
            notebook = lab.run_notebook(path)
            assert notebook.cell_errors == [], notebook.cell_errors
            found.append(
                Row(path.stem, notebook.seconds, "s", FLOOR + "imports alone", floor, most=20)
            )
            notebook.page.context.close()  # so that the next one's is fresh
            lab.close_pages()
    return found
