"""Set up Doorzicht and open it: needs nothing but Python 3.11 or newer.

    python start.py            set up what is missing, then open the workbench in JupyterLab;
                               more arguments go to JupyterLab
    python start.py app        set up what is missing, then open the workbench as a page without
                               code, for a class; --lesson N opens a lesson instead, --host 0.0.0.0
                               lets others on the network in, --seats N says how many at most,
                               --clips DIR offers clips to all, --port N chooses the port,
                               --no-browser only prints the address
    python start.py setup      set up only, and look again for every file that is missing
    python start.py test       set up, then linters, types and tests; more arguments go to pytest
    python start.py docs       set up, then make the API reference, docs/_build, of the docstrings
    python start.py --with hub also install an extra: hub (classifiers in Hugging Face's layout),
                               onnx (export a network of one's own); also before setup, app and test
    python start.py --cpu      at the first set-up on Linux or Windows: PyTorch without CUDA, which
                               is about 4 GB less; also before setup, app and test

Packages go into .venv in this folder, model files into models/cache, sample clips into samples;
nothing else on the computer changes. Packages come from wherever pip is configured to look.
Without a network: configure pip with --find-links, and give the model files with --from-folder.
"""

# No `from __future__` and no syntax newer than Python 3.6 in this file: an older Python must get
# as far as the message that tells what to do.

import argparse
import hashlib
import importlib.util
import io
import json
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent
NEEDED = (3, 11)

if sys.version_info < NEEDED:
    sys.exit(
        "Doorzicht needs Python 3.11 or newer; this is Python {}.{}.\n"
        "Install a newer one beside it and use that, for example: python3.12 start.py".format(
            *sys.version_info[:2]
        )
    )

import tomllib  # noqa: E402 - does not exist before 3.11

VENV = ROOT / ".venv"
IS_WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if IS_WINDOWS else "bin/python")
NOTEBOOK = "notebooks/01_workbench.ipynb"
APP = "notebooks/app/workbench.ipynb"
EXTRAS = ("docs", "hub", "onnx")
APP_SETTINGS = ROOT / "notebooks" / "app"
APP_WAIT_S = 120
LOOPBACK, ANYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - only where it is asked for
BROWSER_TESTS = "tests/e2e"
OPENED_ELSEWHERE = "DOORZICHT_NOTEBOOKS_IN_BROWSER"
"""Set for the unit tests where browser tests follow, which open every notebook anyway."""

PAGE_TESTS = ("tests/e2e/test_every_notebook.py", "tests/e2e/test_app.py")
"""Browser tests that take about as long as all the others together."""
CHECKS = (
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    ["-m", "mypy"],
)
OPTIONS_WITH_VALUE = ("-k", "-m", "-p", "-o", "-c", "-W", "-r", "--junitxml", "--junit-xml")
NO_TESTS = 5  # pytest's exit code when it found none
# measured: the environment takes 7 GB on Linux, where PyTorch brings CUDA; pip needs the wheels too
DISK_GB = 12 if sys.platform == "linux" else 4
DISK_CPU_GB = 4
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # PyTorch's own, for its two packages only


class Stop(Exception):  # noqa: N818 - the set-up cannot go on; the text tells what to do
    """Something the user must do first."""


class Stamps:
    """Remembers which steps are done, so that a second start takes a moment.

    A step is done when its inputs hash to the same key as then and the files it left are still
    there in the same size.

    Parameters
    ----------
    where
        The file that remembers; it lies in the environment and disappears with it.
    """

    def __init__(self, where: Path) -> None:
        self._where = where

    def _read(self) -> dict[str, dict[str, object]]:
        try:
            known = json.loads(self._where.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def is_done(self, step: str, key: str) -> bool:
        """Return whether the step was done with this key and its files are still there."""
        stamp = self._read().get(step, {})
        files = stamp.get("files")
        return (
            stamp.get("key") == key
            and isinstance(files, dict)
            and all(_size(Path(name)) == size for name, size in files.items())
        )

    def done(self, step: str, key: str, folder: Path | None = None) -> None:
        """Remember that the step is done, and which files its folder now holds."""
        found = sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []
        files = {str(p): _size(p) for p in found if p.is_file()}
        known = {**self._read(), step: {"key": key, "files": files}}
        part = self._where.with_suffix(".part")
        part.write_text(json.dumps(known, indent=1), encoding="utf-8")
        part.replace(self._where)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def key_of(*parts: object) -> str:
    """Return a hash of inputs: the content of a `Path`, the repr of anything else."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else repr(part).encode()
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def packages_key() -> str:
    """Return the key of the installed packages: what is asked for, for which Python, and where."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = (project["project"], project["build-system"], project["tool"]["setuptools"])
    # the folder is part of it because an editable install points to it
    return key_of(asked, ROOT / "requirements.txt", VENV / "pyvenv.cfg", str(ROOT))


def samples_key() -> str:
    """Return the key of the sample clips: the manifest, and the code that plants one of them."""
    forge = sorted((ROOT / "toolkit" / "forge").glob("*.py"))
    return key_of(ROOT / "models" / "samples.toml", *forge)


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def run(*arguments: str) -> int:
    """Run the environment's Python in the project's folder and return its exit code."""
    return subprocess.run([str(PYTHON), *arguments], cwd=ROOT, check=False).returncode


def _open(arguments: list[str], variables: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the environment's Python in the project's folder, to read its lines as they come."""
    return subprocess.Popen(
        [str(PYTHON), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **(variables or {})},
    )


# --- steps --------------------------------------------------------------------------------------


def make_environment() -> None:
    """Make .venv, unless it is there and works."""
    if PYTHON.exists():
        ask = [str(PYTHON), "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"]
        if subprocess.run(ask, capture_output=True, check=False).returncode == 0:
            return
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists():
        raise Stop(f"{VENV} is in the way: it is not a Python environment. Move it elsewhere.")
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise Stop(
            "This Python cannot make environments: the module venv or ensurepip is missing.\n"
            "On Debian and Ubuntu: sudo apt install python3-venv"
        )
    say("Making the environment (.venv) ...")
    # --clear: what is there does not work, or is too old
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise Stop(
            f"The environment could not be made:\n{(made.stdout + made.stderr).strip()}\n"
            "On Debian and Ubuntu: sudo apt install python3-venv"
        )


def check_disk(*, cpu: bool = False) -> None:
    """Stop when the packages cannot fit, unless they are there already."""
    if any(VENV.glob("[Ll]ib/**/site-packages/torch")):
        return
    needed = min(DISK_GB, DISK_CPU_GB) if cpu else DISK_GB
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < needed:
        raise Stop(
            f"{free:.1f} GB free on the disk of {ROOT}; the set-up needs about {needed} GB.\n"
            "Make room, or move this folder to a larger disk."
        )


def install_packages(*, cpu: bool = False) -> None:
    """Install what requirements.txt pins, and the project itself.

    With `cpu`, PyTorch comes from its own index first, in the same version but without CUDA: that
    satisfies the pin, so the rest of the list leaves it as it is.
    """
    wanted = sum(
        1
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    say(f"Installing {wanted} packages; the first time this takes several minutes ...")
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input"]
    log = VENV / "setup.log"
    with log.open("w", encoding="utf-8") as file:
        if cpu:
            _install([*pip, "install", "--index-url", CPU_INDEX, *torch_pins()], file, log)
        _install([*pip, "install", "-r", "requirements.txt"], file, log)
        # without isolation: setuptools is pinned in requirements.txt, so nothing more is fetched
        own = ["--no-deps", "--no-build-isolation", "-e", "."]
        _install([*pip, "install", *own], file, log)


def install_extras(names: list[str]) -> None:
    """Install extras of pyproject.toml, with the versions that requirements-extras.txt pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [pin for name in names for pin in project["optional-dependencies"][name]]
    say(f"Installing extras: {', '.join(names)} ...")
    log = VENV / "extras.log"
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    pins = ["-c", "requirements.txt", "-c", "requirements-extras.txt"]
    with log.open("w", encoding="utf-8") as file:
        _install([*pip, *pins, *asked], file, log)


def torch_pins() -> list[str]:
    """Return the pins of PyTorch's own packages."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(("torch==", "torchvision=="))]


def _install(arguments: list[str], file: IO[str], log: Path) -> None:
    lines = []
    seen = 0
    with _open(arguments) as pip:
        for line in pip.stdout or ():
            lines.append(line)
            file.write(line)
            if line.startswith(("Collecting ", "Processing ")):  # the latter: a local file
                seen += 1
                if seen % 20 == 1:
                    say(f"  package {seen}: {Path(line.split()[1]).name}")
            elif line.startswith("Installing collected packages"):
                say("  all obtained; unpacking them ...")
    if pip.returncode == 0:
        return
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-5:]
    text = "".join(errors).strip()
    raise Stop(f"pip could not install the packages:\n{text}\n{_pip_advice(text)} Log: {log}")


def _pip_advice(text: str) -> str:
    if "space" in text:
        return "The disk is full: make room and start again."
    if "torch" in text:
        version = "{}.{}".format(*sys.version_info[:2])
        return (
            f"No fitting PyTorch was found for Python {version} on {platform.machine()} "
            f"{platform.system()}.\nPyTorch comes for 64-bit Linux, Windows and macOS on Apple "
            "silicon, and for a new Python only after\nsome months: try Python 3.11, 3.12 or 3.13 "
            "(delete .venv, then for example: python3.12 start.py)."
        )
    return "Check the network and pip's settings (pip config list), then start again."


def set_up(
    stamps: Stamps,
    from_folder: Path | None,
    *,
    look_again: bool,
    cpu: bool = False,
    extras: tuple[str, ...] = (),
) -> None:
    """Do all steps that are not done yet."""
    make_environment()
    key = packages_key()
    if not stamps.is_done("packages", key):
        check_disk(cpu=cpu)
        install_packages(cpu=cpu)
        stamps.done("packages", key)
    for name in extras:  # one that was asked for before stays
        key = key_of(ROOT / "requirements-extras.txt", packages_key())
        if not stamps.is_done(f"extra {name}", key):
            install_extras([name])
            stamps.done(f"extra {name}", key)
    folder = [] if from_folder is None else ["--from-folder", str(from_folder)]
    look_again = look_again or from_folder is not None

    key = key_of(ROOT / "models" / "manifest.toml")
    if look_again or not stamps.is_done("models", key):
        say("Model files:")
        if run("-m", "toolkit.models", *folder):
            raise Stop("Doorzicht cannot work without these model files.")
        stamps.done("models", key, ROOT / "models" / "cache")

    key = samples_key()
    if look_again or not stamps.is_done("samples", key):
        say("Sample clips:")
        if run("-m", "toolkit.samples", *folder):
            say("  the samples are not complete; everything else works without them")
        stamps.done("samples", key, ROOT / "samples")


# --- what the user asked for --------------------------------------------------------------------


def open_workbench(extra: list[str]) -> int:
    """Open JupyterLab and wait until it is closed."""
    if not (ROOT / NOTEBOOK).is_file():
        raise Stop(f"{NOTEBOOK} is missing. Restore it from the repository.")
    say(f"Opening JupyterLab on {NOTEBOOK}; to stop it, press Ctrl+C here.")
    lab = subprocess.Popen([str(PYTHON), "-m", "jupyterlab", NOTEBOOK, *extra], cwd=ROOT)
    while True:
        try:
            return lab.wait()
        except KeyboardInterrupt:  # JupyterLab got it too, and asks whether to stop
            continue


def open_app(arguments: list[str]) -> int:
    """Open a notebook as a page without code and wait until it is stopped."""
    parser = argparse.ArgumentParser(prog="python start.py app", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--lesson", type=int, help="number of a lesson: notebooks/NN_....ipynb")
    parser.add_argument("--pupils", action="store_true", help="leave out the expected answers")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument(
        "--host", default=LOOPBACK, help="0.0.0.0 lets others on the network in; default: nobody"
    )
    parser.add_argument("--seats", type=int, default=20, help="browsers at once; default: 20")
    parser.add_argument("--workers", type=int, help="analyses at once; default: by the cores")
    parser.add_argument("--clips", type=Path, help="folder of clips that everybody may choose")
    options = parser.parse_args(arguments)
    check_class(options)
    notebook = APP if options.lesson is None else find_lesson(options.lesson)
    if not (ROOT / notebook).is_file():
        raise Stop(f"{notebook} is missing. Restore it from the repository.")
    port = _free_port(options.port, options.host)
    # Voila accepts any host name, so without a token a page on the web could reach the kernel
    # through the browser. In the environment, other users of the computer cannot see it.
    token = secrets.token_urlsafe(16)
    command = [str(PYTHON), "-m", "toolkit.classroom", notebook, f"--port={port}"]
    command += [f"--host={options.host}", f"--seats={options.seats}"]
    command += [] if options.workers is None else [f"--workers={options.workers}"]
    command += [] if options.clips is None else [f"--clips={options.clips.resolve()}"]
    # voila.json there forbids the page to ask other servers: Voila's own pages want a font
    env = {**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_CONFIG_PATH": str(APP_SETTINGS)}
    if options.pupils:
        env["DOORZICHT_PUPILS"] = "1"  # see toolkit/widgets/lessons/lesson.py
    # started in the background, a shell has Ctrl+C ignored; and a stop must not leave the server
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    app = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        _wait_for(app, port, options.host)
        address = f"http://{_name_of_host(options.host)}:{port}/?token={token}"
        who = "Only this computer can open it."
        if options.host != LOOPBACK:
            who = (
                "Whoever has this address can open it from the network; what is sent is not\n"
                "encrypted. Use it on a network that you trust, and stop it after the lesson."
            )
        say(f"Doorzicht runs at {address}\n{who} Ctrl+C here stops it.")
        if not options.no_browser:
            webbrowser.open(address)
        return app.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _end(app)


def find_lesson(number: int) -> str:
    """Return the notebook of a lesson, as a path in the project."""
    folder = ROOT / "notebooks"
    found = sorted(folder.glob(f"{number:02d}_*.ipynb")) if 0 < number < 100 else []
    if found:
        return found[0].relative_to(ROOT).as_posix()
    there = sorted(p.name for p in folder.glob("[0-9][0-9]_*.ipynb"))
    raise Stop(f"There is no lesson {number}. These are here: {', '.join(there) or 'none'}.")


def check_class(options: argparse.Namespace) -> None:
    """Stop where the class cannot be as it was asked for."""
    for name in ("seats", "workers"):
        number = getattr(options, name)
        if number is not None and number < 1:
            raise Stop(f"--{name} {number}: give a number from 1 on.")
    if options.clips is not None and not options.clips.is_dir():
        raise Stop(f"--clips: there is no folder {options.clips}.")


def _name_of_host(host: str) -> str:
    """Return the name under which a browser finds this computer."""
    if host != ANYWHERE:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which way it would go
        except OSError:  # no network
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _free_port(wanted: int, host: str) -> int:
    """Return the wanted port, or any free one for 0."""
    with socket.socket() as probe:
        if os.name == "posix":  # else a port that was in use a moment ago counts as taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except (OSError, OverflowError) as error:
            raise Stop(
                f"Port {wanted} of {host} cannot be used: {error}. Choose another."
            ) from error
        port: int = probe.getsockname()[1]
        return port


def _wait_for(app: "subprocess.Popen[bytes]", port: int, host: str) -> None:
    """Wait until the server listens."""
    until = time.monotonic() + APP_WAIT_S
    while app.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK if host == ANYWHERE else host, port)) == 0:
                return
        time.sleep(0.1)
    raise Stop("The app did not start. What it said is above.")


def _end(app: "subprocess.Popen[bytes]") -> None:
    """Stop the server; it stops the kernels."""
    if app.poll() is not None:
        return
    app.send_signal(signal.SIGTERM if IS_WINDOWS else signal.SIGINT)
    try:
        app.wait(15)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        app.kill()
        app.wait()


class Aside(threading.Thread):
    """Runs commands of the environment's Python one after the other, and keeps what they print.

    Parameters
    ----------
    commands
        Arguments of each.

    Attributes
    ----------
    lines
        What was printed so far.
    code
        The exit code of the last command that failed, else 0.
    began, ended
        When it ran, by `time.monotonic`; 0 where it did not.
    """

    def __init__(self, *commands: list[str]) -> None:
        super().__init__(daemon=True)
        self._commands, self.code = commands, 0
        self.began = self.ended = 0.0
        self.lines: list[str] = []
        self._now: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """Do the work of the thread."""
        self.began = time.monotonic()
        for command in self._commands:
            self.lines.append(f"$ {' '.join(command)}\n")
            with _open(command) as self._now:
                self.lines.extend(self._now.stdout or ())
            self.code = self._now.returncode or self.code
        self.ended = time.monotonic()

    def stop(self) -> None:
        """End the command that runs."""
        if self._now is not None and self._now.poll() is None:
            self._now.terminate()


def test(extra: list[str]) -> int:
    """Run linters, types and tests; the last line is pytest's closing line.

    Of the whole suite two processes share the unit tests, with the linters beside them; then two
    share the browser tests, which came too late for their pages beside the others. Whoever names
    tests, or debugs, gets one pytest with exactly these arguments.
    """
    # only training needs it, so only its tests do; without it they say why they are skipped
    run("-m", "toolkit.models", "--only", "imagenet_lite0")
    began, cpu_began = time.monotonic(), cpu_of_children()
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    linters = Aside(*CHECKS)
    browsers: dict[str, Aside] = {}
    report: Path | None = None
    unit = [*colour, *extra]
    if is_whole_suite(extra):
        report, rest = split_report(extra)
        asked = ["--durations=25", *colour, *rest]
        # files with slow tests come first by themselves, for the cores to end together
        unit = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
        unit += [f"--ignore={BROWSER_TESTS}", *asked]
        if report is not None:
            unit.append(f"--junitxml={_part(report, 'unit')}")
        for name, tests in browser_tests().items():
            # each its own cache: else one forgets what failed for the other
            own = ["-o", f"cache_dir={ROOT / '.pytest_cache' / name}"]
            if report is not None:
                own.append(f"--junitxml={_part(report, name)}")
            browsers[name] = Aside(["-m", "pytest", *tests, *own, *asked])
    helpers = [linters, *browsers.values()]
    linters.start()
    say(f"$ {' '.join(['pytest', *unit])}")
    closing = ""
    try:
        opened = {OPENED_ELSEWHERE: "1"} if browsers else {}
        with _open(["-m", "pytest", *unit], opened) as pytest:
            for line in pytest.stdout or ():
                sys.stdout.write(line)
                sys.stdout.flush()
                closing = line.strip() or closing
        units_ended, cpu_ended = time.monotonic(), cpu_of_children()
        for browser in browsers.values():
            browser.start()
        for helper in helpers:
            helper.join()
    except KeyboardInterrupt:
        for helper in helpers:
            helper.stop()
        raise
    codes = [pytest.returncode]
    if browsers:
        say("\nThe browser tests:")
        closings = [closing]
        for browser in browsers.values():
            sys.stdout.writelines(browser.lines)
            codes.append(browser.code)
            closings += [line.strip() for line in browser.lines[-1:]]
        closing = add_up(closings, time.monotonic() - began)
        if report is not None:
            merge_reports([_part(report, name) for name in ("unit", *browsers)], report)
    say("\nLinters and types:")
    sys.stdout.writelines(linters.lines)
    say("\nWhen each ran:")
    parts = {
        "unit tests": (began, units_ended),
        "linters and types": (linters.began, linters.ended),
    }
    parts |= {name: (part.began, part.ended) for name, part in browsers.items()}
    sys.stdout.writelines(schedule(parts, began))
    busy = {"unit tests": (cpu_ended - cpu_began) / (units_ended - began)}
    if browsers:
        seconds = time.monotonic() - units_ended
        busy["browser tests"] = (cpu_of_children() - cpu_ended) / seconds
    say(f"Cores busy: {', '.join(f'{cores:.1f} with {name}' for name, cores in busy.items())}")
    if linters.code:
        say("A linter or the type checker found something: see above.")
    say(closing)
    return exit_code(codes) or linters.code


def cpu_of_children() -> float:
    """Return the processor time of all processes that were started and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def schedule(parts: dict[str, tuple[float, float]], began: float) -> list[str]:
    """Return a line for each part: when it began and ended, counted from `began`."""

    def clock(moment: float) -> str:
        minutes, seconds = divmod(round(moment - began), 60)
        return f"{minutes:3d}:{seconds:02d}"

    return [f"{clock(a)} to {clock(b)}  {name}\n" for name, (a, b) in parts.items()]


def browser_tests() -> dict[str, list[str]]:
    """Return what each process of browser tests is asked to run, by the name of its report."""
    pages = [path for path in PAGE_TESTS if (ROOT / path).is_file()]
    others = [BROWSER_TESTS, *(f"--ignore={path}" for path in pages)]
    return {"browser": others, **({"pages": pages} if pages else {})}


def make_docs() -> int:
    """Make the API reference; whatever its maker complains of is an error."""
    out = ROOT / "docs" / "_build"
    command = ["-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    code = run(*command, str(ROOT / "docs"), str(out))
    if not code:
        say(f"Made: {out / 'index.html'}")
    return code


def is_whole_suite(extra: list[str]) -> bool:
    """Return whether no test is named and nothing is asked that one process only can do."""
    alone = ("--pdb", "--trace", "-s", "--capture=no", "-n", "--dist", "--collect-only", "--co")
    before = ""
    for argument in extra:
        is_value = before in OPTIONS_WITH_VALUE
        if not is_value and argument.split("=")[0] in alone:
            return False
        is_word = not is_value and not argument.startswith("-")
        if is_word and (ROOT / argument.split("::")[0]).exists():
            return False
        before = argument
    return True


def split_report(extra: list[str]) -> tuple[Path | None, list[str]]:
    """Return the file of ``--junitxml``, or None, and the other arguments."""
    rest, report, before = [], None, ""
    for argument in extra:
        if before in ("--junitxml", "--junit-xml"):
            report = Path(argument)
        elif argument.startswith(("--junitxml=", "--junit-xml=")):
            report = Path(argument.split("=", 1)[1])
        elif argument not in ("--junitxml", "--junit-xml"):
            rest.append(argument)
        before = argument
    return report, rest


def _part(report: Path, name: str) -> Path:
    return report.with_name(f"{report.stem}-{name}{report.suffix}")


def merge_reports(parts: list[Path], report: Path) -> None:
    """Write the test cases of several JUnit files into one; a part that is missing adds none."""
    whole = ET.Element("testsuites")
    for part in parts:
        path = ROOT / part
        try:
            whole.extend(ET.parse(path).getroot().iter("testsuite"))  # noqa: S314 - our own file
        except (OSError, ET.ParseError):
            say(f"{part}: no report was written")
    ET.ElementTree(whole).write(ROOT / report, encoding="utf-8", xml_declaration=True)


def add_up(closings: list[str], seconds: float) -> str:
    """Return one closing line for several; the first one where none of them counts anything."""
    counts: dict[str, int] = {}
    for closing in closings:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", closing)
        for number, word in re.findall(r"(\d+) ([a-z]+)\b", plain.split(" in ")[0]):
            several = {"error": "errors", "warning": "warnings"}.get(word, word)
            counts[several] = counts.get(several, 0) + int(number)
    if not counts:
        return closings[0]
    order = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings")
    words = sorted(counts, key=lambda w: order.index(w) if w in order else len(order))
    minutes, rest = divmod(int(seconds), 60)
    took = f"{seconds:.2f}s ({minutes // 60}:{minutes % 60:02d}:{rest:02d})"
    return f" {', '.join(f'{counts[w]} {w}' for w in words)} in {took} ".center(80, "=")


def exit_code(codes: list[int]) -> int:
    """Return the exit code of several runs of pytest; NO_TESTS only where no run had any."""
    worst = [code for code in codes if code != NO_TESTS]
    return next((code for code in worst if code), 0) if worst else NO_TESTS


def main(argv: list[str] | None = None) -> int:
    """Set up, then do what was asked; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python start.py [setup | test | app | docs] [options] [more ...]",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--from-folder",
        type=Path,
        metavar="DIR",
        help="take model files and samples (or the wheels that hold them) from here: no network",
    )
    parser.add_argument(
        "--cpu", action="store_true", help="PyTorch without CUDA, about 4 GB less to obtain"
    )
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        choices=EXTRAS,
        dest="extras",
        help="also install this extra; may be repeated",
    )
    options, extra = parser.parse_known_args(argv)
    # not a positional of the parser, which would take 8888 of `--port 8888` for the command
    command = extra.pop(0) if extra and not extra[0].startswith("-") else "open"
    extra = extra[1:] if extra[:1] == ["--"] else extra
    if command not in ("open", "setup", "test", "app", "docs"):
        parser.error(f"there is no command {command!r}")
    if command in ("setup", "docs") and extra:
        parser.error(f"{command} takes no further arguments: {' '.join(extra)}")
    if options.from_folder is not None:
        options.from_folder = options.from_folder.resolve()
        if not options.from_folder.is_dir():
            parser.error(f"no such folder: {options.from_folder}")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack a sign that a test prints
            stream.reconfigure(errors="replace")
    began = time.monotonic()
    try:
        set_up(
            Stamps(VENV / "doorzicht.json"),
            options.from_folder,
            look_again=command == "setup",
            cpu=options.cpu,
            extras=(*options.extras, *(["docs"] if command == "docs" else [])),
        )
        say(f"Set up ({time.monotonic() - began:.1f} s).")
        if command == "test":
            return test(extra)
        if command == "app":
            return open_app(extra)
        if command == "docs":
            return make_docs()
        return open_workbench(extra) if command == "open" else 0
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; start again to go on where it was.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
