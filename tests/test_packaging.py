"""pyproject.toml, the lock, conda, Binder, the workflow and the wheel must agree."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from overparam_edu.publish import live

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
# Put together here so that this file does not name one either.
REGISTRIES = [
    ".".join(words)
    for words in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("anaconda", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
]
INDEX_OPTIONS = ["--" + name for name in ("index-url", "extra-index-url", "find-links")]


def _yaml(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def _requirements(lines):
    """Return {canonical name: Requirement}; conda's `name >=1,<2` reads as pip's."""
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(item.name): item for item in found}


RUN = _requirements(PROJECT["dependencies"])


def _extra(name):
    """Return what an extra brings, and the extras of ours that it names."""
    found = _requirements(PROJECT["optional-dependencies"][name])
    for other in found.pop(PROJECT["name"], Requirement("none")).extras:
        found |= _extra(other)
    return found


EXTRAS = {name: _extra(name) for name in PROJECT["optional-dependencies"]}
COURSE = RUN | EXTRAS["lab"] | EXTRAS["pages"] | EXTRAS["present"] | EXTRAS["data"]
LOCKED_DIRECTLY = RUN | EXTRAS["test"] | EXTRAS["docs"] | _requirements(BUILD["requires"])


def locked(text):
    """Return {canonical name: [Requirement, ...]} of a lock; markers may give a name several."""
    found = {}
    for line in re.findall(r"^[A-Za-z0-9].*$", text, re.M):
        item = Requirement(line.removesuffix("\\").strip())
        found.setdefault(canonicalize_name(item.name), []).append(item)
    return found


LOCK_TEXT = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCK = locked(LOCK_TEXT)
SUPPORTED = sorted(
    (m.group(1) for c in PROJECT["classifiers"] if (m := re.search(r":: Python :: (3\.\d+)$", c))),
    key=Version,
)


def locked_version(name, python):
    """Return the one version of `name` that the lock gives on that Python."""
    where = {"python_full_version": f"{python}.9", "python_version": python, "extra": ""}
    [item] = [i for i in LOCK[name] if i.marker is None or i.marker.evaluate(where)]
    [exact] = item.specifier
    assert exact.operator == "=="
    return exact.version


# --- the lock ---


def test_the_lock_holds_every_direct_dependency_and_no_torch():
    assert set(LOCKED_DIRECTLY) - set(LOCK) == set()
    assert "torch" not in LOCK


@pytest.mark.parametrize("python", SUPPORTED)
@pytest.mark.parametrize("name", sorted(LOCKED_DIRECTLY))
def test_the_locked_version_is_in_the_range(name, python):
    version = locked_version(name, python)
    assert LOCKED_DIRECTLY[name].specifier.contains(version, prereleases=True)


def test_every_locked_version_has_hashes():
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK_TEXT, flags=re.M)[1:]
    assert len(entries) > 100
    assert [e.split()[0] for e in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", e)] == []


def test_the_lock_says_where_nothing_comes_from():
    assert "://" not in LOCK_TEXT
    assert [option for option in INDEX_OPTIONS if option in LOCK_TEXT] == []


def test_every_dependency_has_both_bounds():
    for name, item in (LOCKED_DIRECTLY | EXTRAS["convnet"]).items():
        operators = {part.operator for part in item.specifier}
        assert operators == {">=", "<"}, f"{name} needs a lower and an upper bound"


def _imported():
    """Return the distributions that each file imports, wherever in it."""
    owners = packages_distributions()
    found = {}
    for path in (ROOT / "overparam_edu").rglob("*.py"):
        tops = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                tops |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                tops.add(node.module.split(".")[0])
        third = tops - set(sys.stdlib_module_names) - {"overparam_edu"}
        name = path.relative_to(ROOT / "overparam_edu").as_posix()
        found[name] = {canonicalize_name(owners.get(top, [top])[0]) for top in third}
    return found


# Found through others: Playwright's browser.
NOT_NAMED = {"playwright"}
# Programs that are started, and what is read where it is installed.
NOT_IMPORTED = {
    "ipykernel",
    "jupyterlab-widgets",
    "jupyterlite-core",
    "jupyterlite-pyodide-kernel",
}
# The files that an extra is for. All others do with the core alone.
FOR = {
    "lab": {"cli/lab.py", "cli/doctor.py", "cli/present.py"},
    "pages": {
        "publish/pages.py",
        "publish/plans.py",
        "publish/presenter.py",
        "classroom/assignment.py",
        "classroom/__main__.py",
        "cli/assign.py",
    },
    "present": {"cli/present.py", "publish/presenter.py"},
    "data": {"experiments/datasets.py", "cli/doctor.py"},
    "export": {"player/pictures.py"},
    "video": {"player/pictures.py"},
    "convnet": {"experiments/convnet.py", "experiments/datasets.py"},
    "live": {"publish/live.py"},
}


def test_each_file_imports_what_its_extra_brings_and_else_the_core_alone():
    for name, used in _imported().items():
        allowed = set(RUN).union(*(EXTRAS[extra] for extra, files in FOR.items() if name in files))
        assert used - allowed - NOT_NAMED == set(), name


def test_what_is_declared_is_imported():
    used = set().union(*_imported().values())
    assert set(RUN) - used == set()
    for extra in FOR:
        assert set(EXTRAS[extra]) - used - NOT_IMPORTED == set(), extra


def test_all_is_all_that_a_user_may_want():
    assert EXTRAS["all"] == {n: i for extra in FOR for n, i in EXTRAS[extra].items()}


# --- conda and Binder ---


def _conda(name):
    """Return an environment file's conda requirements, without pip itself, and its pip lines."""
    entries = _yaml(name)["dependencies"]
    lines = [entry for entry in entries if isinstance(entry, str) and entry != "pip"]
    [pip] = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return lines, pip


def test_conda_has_the_ranges_of_pyproject():
    lines, pip = _conda("environment.yml")
    *from_pip, package = pip
    found = _requirements([*lines, *from_pip])
    python = found.pop("python")
    expected = COURSE | _requirements(BUILD["requires"])
    assert {n: i.specifier for n, i in found.items()} == {
        n: i.specifier for n, i in expected.items()
    }
    following = f"3.{Version(SUPPORTED[-1]).minor + 1}"
    assert python.specifier == SpecifierSet(f"{PROJECT['requires-python']},<{following}")
    assert package == "-e ."


def test_binder_pins_what_the_lock_pins_and_names_no_local_file():
    lines, pip = _conda("binder/environment.yml")
    [python] = [line.removeprefix("python=") for line in lines]
    assert python in SUPPORTED
    expected = set(COURSE | _requirements(BUILD["requires"]))
    assert {line.split("==")[0] for line in pip} == expected
    assert pip == sorted(f"{name}=={locked_version(name, python)}" for name in expected)


def test_binder_installs_the_package_after_its_environment():
    script = ROOT / "binder" / "postBuild"
    text = script.read_text(encoding="utf-8")
    assert re.search(r"pip install .*--no-deps --no-build-isolation -e \.$", text, re.M)
    assert text.startswith("#!")
    # The one name under which Lab reads settings of an environment, however Binder starts it.
    assert '"jupyter_lab_config.json"' in text
    if os.name == "posix":
        assert os.access(script, os.X_OK)
        subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("name", ["environment.yml", "binder/environment.yml"])
def test_conda_files_have_one_name_and_one_channel(name):
    content = _yaml(name)
    assert content["name"] == PROJECT["name"]
    assert content["channels"] == ["conda-forge", "nodefaults"]


# --- what runs the checks ---


def test_the_workflow_covers_three_systems_and_both_ends_of_the_range():
    jobs = _yaml(".github/workflows/ci.yml")["jobs"]
    matrix = jobs["bounds"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    pythons = {row["resolution"]: row["python"] for row in matrix["include"]}
    assert pythons == {"lowest-direct": SUPPORTED[0], "highest": SUPPORTED[-1]}
    assert set(jobs["locked"]["strategy"]["matrix"]["python"]) <= set(SUPPORTED)


def test_the_supported_pythons_follow_each_other_from_the_lowest():
    minors = [Version(python).minor for python in SUPPORTED]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert PROJECT["requires-python"] == f">={SUPPORTED[0]}"


def test_pre_commit_uses_the_locked_tools():
    pins = {}
    for hook in _yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]:
        for pin in hook["additional_dependencies"]:
            name, version = pin.split("==")
            assert pins.setdefault(name, version) == version
    for name in ("ruff", "nbstripout"):
        assert pins[name] == locked_version(name, SUPPORTED[0])


def test_ci_runs_what_people_run():
    script = ROOT / ".ci" / "run"
    assert script.read_text(encoding="utf-8").rstrip().endswith("\nmake test")
    if os.name == "posix":
        assert os.access(script, os.X_OK)
        subprocess.run(["bash", "-n", script], check=True)


def test_ci_runs_what_make_test_leaves_out_and_nothing_is_left_out_twice():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = dict(re.findall(r"^(test|test-all): .*\n\t(.*)$", text, re.M))
    assert recipes == {
        "test": '$(PYTEST) -m "not thorough" $(ARGS)',
        "test-all": "$(PYTEST) $(ARGS)",
    }
    jobs = _yaml(".github/workflows/ci.yml")["jobs"]
    runs = {name: [step.get("run") for step in job["steps"]] for name, job in jobs.items()}
    assert "make test" in runs["locked"]
    assert 'python -m pytest -m "not thorough"' in runs["bounds"]
    assert "python -m pytest -m thorough" in runs["thorough"]
    systems = {row["os"].split("-")[0] for row in jobs["thorough"]["strategy"]["matrix"]["include"]}
    assert systems == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("name", ["ci", "pages"])
def test_workflows_get_the_pyodide_of_the_live_lessons(name):
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    got = re.findall(r"pyodide/releases/download/(.*)/pyodide-(.*)\.tar\.bz2 ", text)
    assert set(got) == {(live.PYODIDE, live.PYODIDE)}


def test_the_citation_and_the_changelog_speak_of_this_version():
    citation = _yaml("CITATION.cff")
    assert citation["version"] == PROJECT["version"]
    assert " AND ".join(citation["license"]) == PROJECT["license"]
    [paper] = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Arora", "Cohen", "Hazan"]
    assert paper["identifiers"][0]["value"] == "arXiv:1802.06509"
    assert PROJECT["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# --- the tree ---


def _kept_files():
    """Return the files that git keeps or would keep; everything, in an unpacked sdist."""
    if not (ROOT / ".git").exists():
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / os.fsdecode(name) for name in answer.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_registry():
    naming = {}
    for path in _kept_files():
        text = path.read_bytes().decode("utf-8", errors="ignore")
        hosts = [host for host in REGISTRIES if re.search(rf"\b{re.escape(host)}\b", text)]
        options = [
            option for option in INDEX_OPTIONS if f"{option} " in text or f"{option}=" in text
        ]
        if hosts or options:
            naming[path.relative_to(ROOT).as_posix()] = hosts + options
    assert naming == {}


# --- what is built ---


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The names inside the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as tarball:
        inside = {name.split("/", 1)[-1] for name in tarball.getnames()}
        return set(archive.namelist()), inside


def _below(folder, *, suffixes=None):
    return {
        path.relative_to(ROOT).as_posix()
        for path in _kept_files()
        if path.is_relative_to(ROOT / folder) and (not suffixes or path.suffix in suffixes)
    }


def test_the_wheel_carries_the_notebooks(built):
    wheel, _ = built
    notebooks = _below("notebooks")
    assert "notebooks/00_start_here.ipynb" in notebooks
    assert {f"overparam_edu/_{name}" for name in notebooks} <= wheel


def test_the_wheel_carries_every_file_of_the_package_and_no_other_folder(built):
    wheel, _ = built
    assert _below("overparam_edu") - wheel == set()
    assert "overparam_edu/py.typed" in wheel
    assert {name.split("/")[0] for name in wheel if ".dist-info/" not in name} == {"overparam_edu"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_the_sdist_is_complete(built):
    _, sdist = built
    assert {path.relative_to(ROOT).as_posix() for path in _kept_files()} - sdist == set()
