from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.sources import every_notebook, modules, read_committed

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = {*PROJECT["dependencies"], *EXTRAS["batch"], *EXTRAS["dev"]}  # what a set-up installs
OPTIONAL = {*EXTRAS["docs"], *EXTRAS["hub"], *EXTRAS["onnx"]}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines) -> dict[str, str]:
    """Return the version of each requirement; every one must be pinned."""
    found = {}
    for line in lines:
        name, same, version = line.strip().partition("==")
        assert same, f"not pinned: {line}"
        assert normal(name) not in found, f"twice: {line}"
        found[normal(name)] = version
    return found


@pytest.fixture(scope="module")
def start():
    spec = importlib.util.spec_from_file_location("start", ROOT / "start.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(start, tmp_path, monkeypatch):
    """A copy of what the set-up reads, a sham environment, and the list of calls."""
    for name in (
        "pyproject.toml",
        "requirements.txt",
        "models/manifest.toml",
        "models/samples.toml",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("version = 3.11.7\n")
    calls = []

    def run(*arguments):
        calls.append(" ".join(arguments))
        folder = tmp_path / ("models/cache" if "toolkit.models" in arguments else "samples")
        folder.mkdir(exist_ok=True)
        (folder / "file").write_bytes(b"x")
        return 0

    monkeypatch.setattr(start, "ROOT", tmp_path)
    monkeypatch.setattr(start, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(start, "make_environment", lambda: None)
    monkeypatch.setattr(start, "check_disk", lambda **_how: None)
    monkeypatch.setattr(
        start,
        "install_packages",
        lambda *, cpu: calls.append("packages without CUDA" if cpu else "packages"),
    )
    monkeypatch.setattr(start, "run", run)
    return tmp_path, calls


EVERYTHING = ["packages", "-m toolkit.models", "-m toolkit.samples"]


def set_up(start, home, *, from_folder=None, look_again=False):
    start.set_up(start.Stamps(home / ".venv/doorzicht.json"), from_folder, look_again=look_again)


# --- pins


def test_the_three_lists_of_pins_agree():
    direct = pins(DIRECT)
    everything = pins(
        line
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert {name: everything.get(name) for name in direct} == direct
    extras = pins(
        line
        for line in (ROOT / "requirements-extras.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    every = pins(OPTIONAL)
    assert {name: (everything | extras).get(name) for name in every} == every
    assert not extras.keys() & everything.keys()
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ {6}- (.+)$", text, re.MULTILINE)
    assert pins(line for line in listed if line != "-e .") == pins(DIRECT | OPTIONAL)
    assert "name: doorzicht\n" in text
    assert "- python=3.11\n" in text


def test_the_build_tools_that_the_set_up_counts_on_are_pinned():
    assert "setuptools==" in (ROOT / "requirements.txt").read_text(encoding="utf-8")


# --- start.py


def test_a_second_call_does_nothing(start, project):
    home, calls = project
    set_up(start, home)
    assert calls == EVERYTHING
    set_up(start, home)
    assert calls == EVERYTHING


@pytest.mark.parametrize(
    ("changed", "redone"),
    [
        ("requirements.txt", ["packages"]),
        (".venv/pyvenv.cfg", ["packages"]),
        ("models/manifest.toml", ["-m toolkit.models"]),
        ("models/samples.toml", ["-m toolkit.samples"]),
        ("models/cache/file", ["-m toolkit.models"]),
        ("samples/file", ["-m toolkit.samples"]),
        (".venv/doorzicht.json", EVERYTHING),
    ],
)
def test_a_change_redoes_its_own_step_only(start, project, changed, redone):
    home, calls = project
    set_up(start, home)
    with (home / changed).open("a") as file:
        file.write("\n# changed\n")
    calls.clear()
    set_up(start, home)
    assert calls == redone


def test_an_extra_is_installed_once_when_it_is_asked_for(start, project, monkeypatch):
    home, calls = project
    (home / "requirements-extras.txt").write_text("a==1\n")
    monkeypatch.setattr(start, "install_extras", lambda names: calls.append(f"extra {names}"))
    for _ in range(2):
        start.set_up(start.Stamps(home / "s.json"), None, look_again=False, extras=("hub",))
    assert calls == ["packages", "extra ['hub']", *EVERYTHING[1:]]
    assert set(start.EXTRAS) == EXTRAS.keys() - {"batch", "dev"}


def test_settings_of_linters_do_not_install_again(start, project):
    home, calls = project
    set_up(start, home)
    with (home / "pyproject.toml").open("a") as file:
        file.write("\n[tool.other]\nx = 1\n")
    set_up(start, home)
    assert calls == EVERYTHING


def test_a_file_that_disappeared_is_fetched_again(start, project):
    home, calls = project
    set_up(start, home)
    (home / "samples/file").unlink()
    calls.clear()
    set_up(start, home)
    assert calls == ["-m toolkit.samples"]


def test_setup_and_a_folder_look_again_for_files(start, project):
    home, calls = project
    set_up(start, home)
    calls.clear()
    set_up(start, home, look_again=True)
    set_up(start, home, from_folder=home)
    assert calls == [*EVERYTHING[1:], *(f"{c} --from-folder {home}" for c in EVERYTHING[1:])]


def test_missing_models_stop_the_set_up_and_are_tried_again_but_samples_do_not(
    start, project, monkeypatch
):
    home, calls = project
    run = start.run
    monkeypatch.setattr(start, "run", lambda *a: run(*a) or "toolkit.models" in a)
    for _ in range(2):
        calls.clear()
        with pytest.raises(start.Stop, match="model files"):
            set_up(start, home)
    assert calls == ["-m toolkit.models"]
    monkeypatch.setattr(start, "run", lambda *a: run(*a) or "toolkit.samples" in a)
    set_up(start, home)


def test_an_older_python_can_read_the_file_and_is_told_what_to_do():
    text = (ROOT / "start.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 6))
    position = {}
    for number, node in enumerate(tree.body):
        if isinstance(node, ast.If):
            position.setdefault("check", number)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            position.setdefault("first definition", number)
    assert position["check"] < position["first definition"]
    assert "from __future__" not in "".join(ast.unparse(node) for node in tree.body)
    own = {n.names[0].name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import)}
    assert own <= set(sys.stdlib_module_names)


def test_a_python_without_venv_is_told_what_to_install(start, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(start, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(start.Stop, match="apt install python3-venv"):
        start.make_environment()


def test_a_folder_that_is_no_environment_is_not_cleared(start, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "VENV", tmp_path)
    monkeypatch.setattr(start, "PYTHON", tmp_path / "bin/python")
    (tmp_path / "precious").touch()
    with pytest.raises(start.Stop, match="in the way"):
        start.make_environment()
    assert (tmp_path / "precious").exists()


def test_a_full_disk_is_told_before_anything_is_fetched(start, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(start, "DISK_GB", 10**9)
    with pytest.raises(start.Stop, match="GB free"):
        start.check_disk()
    (tmp_path / ".venv/lib/python3.11/site-packages/torch").mkdir(parents=True)
    start.check_disk()


def test_without_a_gpu_pytorch_comes_first_and_from_its_own_index(start, project, monkeypatch):
    """Only that it is asked for: the index itself is not within reach of the tests."""
    home, calls = project
    start.set_up(start.Stamps(home / "s.json"), None, look_again=False, cpu=True)
    assert calls == ["packages without CUDA", *EVERYTHING[1:]]
    monkeypatch.undo()
    asked = []
    monkeypatch.setattr(start, "VENV", home / ".venv")
    monkeypatch.setattr(start, "_install", lambda arguments, *_log: asked.append(arguments))
    start.install_packages(cpu=True)
    first, second, _own = asked
    assert first[-4:-2] == ["--index-url", start.CPU_INDEX]
    assert [pin.split("==")[0] for pin in first[-2:]] == ["torch", "torchvision"]
    assert second[-1] == "requirements.txt"


def test_a_failing_pip_is_explained(start, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    code = "print('ERROR: No matching distribution found for torch==2.14.1'); raise SystemExit(1)"
    with (tmp_path / "log").open("w") as log, pytest.raises(start.Stop) as caught:
        start._install(["-c", code], log, tmp_path / "log")
    assert "ERROR: No matching distribution" in str(caught.value)
    assert "No fitting PyTorch" in str(caught.value)
    assert "No matching" in (tmp_path / "log").read_text()
    assert "disk is full" in start._pip_advice("No space left on device")
    assert "network" in start._pip_advice("Could not fetch")


@pytest.fixture
def checked(start, monkeypatch):
    """The environment's Python is this one, and the linters find something."""
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(start, "run", lambda *_arguments: 0)
    monkeypatch.setattr(start, "CHECKS", (["-c", "print('E501'); raise SystemExit(7)"],))
    return start


def test_tests_pass_on_the_exit_code_and_close_with_pytests_last_line(checked, capsys):
    assert checked.test(["--version"]) == 7
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("pytest ")
    assert "E501" in lines
    assert checked.test(["--no-such-option"]) == 4


def suite(folder, unit, browser):
    for name, text in (("tests/test_unit.py", unit), ("tests/e2e/test_browser.py", browser)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")


PASSES, FAILS = "def test_a():\n    pass\n", "def test_b():\n    raise ValueError\n"


@pytest.mark.parametrize(
    ("unit", "browser", "extra", "code", "closing"),
    [
        (PASSES, FAILS, [], 1, "1 failed, 1 passed in"),
        (PASSES, FAILS, ["-k", "test_a"], 0, "1 passed, 1 deselected in"),
        (PASSES, FAILS, ["tests/test_unit.py"], 0, "1 passed in"),
    ],
)
def test_both_kinds_of_tests_run_and_are_told_in_one_line(
    checked, tmp_path, monkeypatch, capsys, unit, browser, extra, code, closing
):
    suite(tmp_path, unit, browser)
    monkeypatch.setattr(checked, "ROOT", tmp_path)
    monkeypatch.setattr(checked, "CHECKS", (["-c", ""],))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert checked.test(["--junitxml=junit.xml", *extra]) == code
    lines = capsys.readouterr().out.splitlines()
    assert closing in lines[-1]
    root = ET.parse(tmp_path / "junit.xml").getroot()
    names = {case.get("classname").split(".")[-1] for case in root.iter("testcase")}
    if not extra:
        assert names == {"test_unit", "test_browser"}
        assert any("slowest" in line for line in lines)
        when = lines.index("When each ran:")
        assert [line.split("  ")[-1] for line in lines[when + 1 :][:3]] == [
            "unit tests",
            "linters and types",
            "browser",
        ]
        assert re.fullmatch(r"Cores busy: [\d.]+ with unit tests, [\d.]+ with.*", lines[when + 4])


def test_the_schedule_counts_from_the_beginning(start):
    parts = {"unit": (100.0, 165.4), "pages": (165.4, 3700.0)}
    assert start.schedule(parts, 100.0) == ["  0:00 to   1:05  unit\n", "  1:05 to  60:00  pages\n"]


@pytest.mark.parametrize(
    ("extra", "whole"),
    [
        ([], True),
        (["-x", "-k", "tests"], True),  # a word of an expression, not the folder
        (["-k", "floors", "tests/test_floors.py"], False),
        (["tests/test_floors.py::test_x"], False),
        (["--pdb"], False),
        (["-n", "0"], False),
        (["-q", "--junitxml", "a.xml"], True),
    ],
)
def test_who_names_tests_gets_one_pytest(start, extra, whole):
    assert start.is_whole_suite(extra) is whole


def test_closing_lines_are_added_up(start):
    lines = ["\x1b[32m===== 3 passed, 1 skipped in 2.00s =====\x1b[0m", "= 1 error in 3.00s ="]
    told = start.add_up(lines, 75.5)
    assert re.fullmatch(r"=+ 3 passed, 1 skipped, 1 errors in 75\.50s \(0:01:15\) =+", told)
    assert start.add_up(["pytest 9.2.0", "pytest 9.2.0"], 1.0) == "pytest 9.2.0"


def test_the_worst_exit_code_counts_and_no_test_only_where_there_is_none(start):
    assert [start.exit_code(c) for c in ([0, 0], [0, 5], [5, 5], [5, 1], [2, 0], [0, 3])] == [
        *(0, 0, 5, 1, 2, 3)
    ]


def test_help_and_wrong_usage():
    def call(*arguments):
        command = [sys.executable, str(ROOT / "start.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "python start.py setup" in call("--help").stdout
    assert call("setup", "--from-folder", "no/such/folder").returncode == 2
    assert call("setup", "more").returncode == 2
    assert "no command 'instal'" in call("instal").stderr


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], ("open", [])),
        (["--port", "8888"], ("open", ["--port", "8888"])),
        (["test", "-k", "floors", "tests/a.py"], ("test", ["-k", "floors", "tests/a.py"])),
        (["test", "--", "--lf"], ("test", ["--lf"])),
        (["--from-folder", ".", "setup"], ("setup", [])),
        (["app", "--lesson", "4"], ("app", ["--lesson", "4"])),
    ],
)
def test_the_first_word_is_the_command_and_the_rest_is_passed_on(
    start, monkeypatch, arguments, asked
):
    done = ("setup", [])

    def do(command):
        def note(extra):
            nonlocal done
            done = (command, extra)
            return 5

        return note

    monkeypatch.setattr(start, "set_up", lambda *_args, **_options: None)
    monkeypatch.setattr(start, "open_workbench", do("open"))
    monkeypatch.setattr(start, "test", do("test"))
    monkeypatch.setattr(start, "open_app", do("app"))
    assert start.main(arguments) == (0 if asked[0] == "setup" else 5)
    assert done == asked


@pytest.mark.slow
def test_the_reference_is_made_of_the_docstrings_without_a_complaint(start, tmp_path):
    pytest.importorskip("sphinx", reason="the extra 'docs' is not installed")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "-q"]
    made = subprocess.run(
        [*command, "-d", str(tmp_path / "cache"), str(ROOT / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "html" / "api.html").read_text(encoding="utf-8")
    assert "toolkit.api.verbs.analyse" in page


def test_every_part_that_the_reference_names_is_there():
    named = {
        module
        for page in (ROOT / "docs").glob("*.rst")
        for module in re.findall(r"automodule:: ([\w.]+)", page.read_text(encoding="utf-8"))
    }
    assert "toolkit.types" in named
    assert [m for m in sorted(named) if importlib.util.find_spec(m) is None] == []


# --- the classroom app


def test_a_lesson_is_found_by_its_number(start, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(start.Stop, match="none"):
        start.find_lesson(4)
    for name in ("01_workbench.ipynb", "04_blend.ipynb", "notes.ipynb"):
        (tmp_path / "notebooks" / name).touch()
    assert start.find_lesson(4) == "notebooks/04_blend.ipynb"
    for number in (0, 5, -4, 400):
        with pytest.raises(start.Stop, match=r"01_workbench.ipynb, 04_blend.ipynb"):
            start.find_lesson(number)


def test_a_taken_port_is_told(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(start.Stop, match="cannot be used"):
            start._free_port(taken.getsockname()[1], "127.0.0.1")
    assert start._free_port(0, "127.0.0.1") > 0
    with pytest.raises(start.Stop):
        start._free_port(70_000, "127.0.0.1")


def test_an_app_that_does_not_start_is_told_and_nothing_is_left(start, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "PYTHON", Path("false"))
    with pytest.raises(start.Stop, match="did not start"):
        start.open_app(["--no-browser"])
    with pytest.raises(start.Stop, match="There is no lesson 99"):
        start.open_app(["--lesson", "99"])


# --- notebooks


@pytest.mark.parametrize("notebook", every_notebook(), ids=lambda p: p.name)
def test_a_notebook_has_short_cells_and_no_output(notebook):
    for cell in read_committed(notebook)["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= 5, source
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_what_jupyterlab_leaves_behind_is_no_notebook_of_ours(tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "n", ignore=shutil.ignore_patterns(".*"))
    before = every_notebook(tmp_path / "n")
    assert [p.name for p in before] == [p.name for p in every_notebook()]
    for folder in (".", "app", "dev"):
        kept = tmp_path / "n" / folder / ".ipynb_checkpoints"
        kept.mkdir()
        (kept / "04_how_deepfakes_are_made-checkpoint.ipynb").write_text("{}")
        (kept / "panel-checkpoint.py").touch()
        for name in ("Untitled.ipynb", "Untitled1.ipynb", "04_how_deepfakes_are_made-Copy1.ipynb"):
            (tmp_path / "n" / folder / name).write_text("{}")
    assert every_notebook(tmp_path / "n") == before
    assert modules(tmp_path / "n") == []


def test_output_of_a_notebook_that_was_used_counts_once_it_is_staged(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    path = tmp_path / "04_a.ipynb"
    path.write_text('{"outputs": 1}')
    assert read_committed(path) == {"outputs": 1}
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git("init")
    assert read_committed(path) == {"outputs": 1}
    git("add", path.name)
    path.write_text('{"outputs": 2}')
    assert read_committed(path) == {"outputs": 1}
    git("add", path.name)
    assert read_committed(path) == {"outputs": 2}


# --- what the package never calls

FORBIDDEN = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}


def dangers(source: str, module: str) -> list[str]:
    """Return the ways in which a module could run code that came with a weight file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names]
            found += [n for n in names if n.split(".")[0] in FORBIDDEN or n == "torch.hub"]
            if isinstance(node, ast.ImportFrom) and node.module == "torch":
                found += [f"torch.{a.name}" for a in node.names if a.name in {"load", "hub"}]
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.hub":
            found.append("torch.hub")
        elif isinstance(node, ast.Call):
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if ast.unparse(node.func) == "torch.load" and not (
                module.startswith(("training/", "detectors/unpack.py"))
                and keywords.get("weights_only") == "True"
            ):
                found.append("torch.load")
            if keywords.get("allow_pickle", "False") != "False":
                found.append("allow_pickle")
            if keywords.get("trust_remote_code", "False") != "False":
                found.append("trust_remote_code")
    return found


@pytest.mark.parametrize(
    "module",
    [p.relative_to(ROOT / "toolkit").as_posix() for p in modules(ROOT / "toolkit")],
)
def test_nothing_in_the_package_loads_code_with_data(module):
    assert dangers((ROOT / "toolkit" / module).read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize(
    ("source", "module", "expected"),
    [
        ("import pickle", "a.py", ["pickle"]),
        ("from torch import hub, load", "a.py", ["torch.hub", "torch.load"]),
        ("torch.hub.load('x')", "a.py", ["torch.hub"]),
        ("torch.load(f, weights_only=True)", "detectors/a.py", ["torch.load"]),
        ("torch.load(f, weights_only=True)", "training/a.py", []),
        ("torch.load(f)", "training/a.py", ["torch.load"]),
        ("torch.load(f, weights_only=True)", "detectors/unpack.py", []),
        ("torch.load(f)", "detectors/unpack.py", ["torch.load"]),
        ("np.load(f, allow_pickle=True)", "a.py", ["allow_pickle"]),
        ("np.load(f, allow_pickle=False)", "a.py", []),
    ],
)
def test_the_check_for_dangers_sees_them(source, module, expected):
    assert dangers(source, module) == expected
