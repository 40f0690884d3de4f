"""An ONNX file in ONNX Runtime: a black box that is asked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit import runtime
from toolkit.detectors.foreign import BlackBox
from toolkit.detectors.recipe import (
    ASK_ANSWER,
    ASK_CROP,
    ASK_READING,
    ASK_SIZE,
    CROP_ASSUMED,
    Draft,
    OpenQuestion,
    Recipe,
)
from toolkit.errors import ModelError
from toolkit.media import show_name
from toolkit.messages import phrase

BYTES_MAX = 2 << 30
"""The largest that the format holds in one piece."""

_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def open_session(data: bytes, shown: str, *, device: str = "cpu") -> Any:
    """Return a session for the bytes of a file.

    They are given as bytes, so that tensors which lie in other files are refused, and no library of
    operations is ever loaded.

    Raises
    ------
    ModelError
        If these are not the bytes of a network that can be run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runtime.side_by_side()
    options.log_severity_level = 4
    cuda = ["CUDAExecutionProvider"] if device == "cuda" else []
    here = set(onnxruntime.get_available_providers())
    providers = [p for p in (*cuda, "CPUExecutionProvider") if p in here]
    try:
        return onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # the library's own errors share no base
        raise ModelError(
            "the file cannot be run by ONNX Runtime",
            phrase("{name}: {why}", name=shown, why=str(error)[:160]),
            "Export it again in one piece, with operations of the standard only.",
        ) from error


def layout_of(session: Any, shown: str) -> tuple[bool, int | None, int | None]:
    """Return whether colours come first, the side of its pictures, and how many it takes at once.

    None stands for "any".

    Raises
    ------
    ModelError
        If it does not take one batch of colour pictures and return floats.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _FLOATS:
        what = ", ".join(f"{g.name} {g.type} {g.shape}" for g in inputs)[:160]
        raise ModelError(
            "the file does not take pictures",
            phrase("{name}: {why}", name=shown, why=what),
            "It must take one input of four axes, float32.",
        )
    shape = [n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape]
    first = shape[1] == 3 or (shape[3] != 3 and shape[1] is None)
    if 3 not in (shape[1], shape[3]) and None not in (shape[1], shape[3]):
        raise ModelError("the file does not take pictures", f"{shown}: {inputs[0].shape}")
    sides = set(shape[2:] if first else shape[1:3]) - {None}
    if len(sides) > 1:
        raise ModelError("its pictures are not square", f"{shown}: {inputs[0].shape}")
    return first, sides.pop() if sides else None, shape[0]


def read_file(path: Path) -> Draft:
    """Return what an ONNX file tells of its network.

    Raises
    ------
    ModelError
        If it is missing, too large, or cannot be run.
    """
    name = show_name(path)
    data = read_bytes(path)
    session = open_session(data, name)
    _first, side, _batch = layout_of(session, name)
    known: dict[str, Any] = {"title": path.stem[:60]}
    questions = [
        OpenQuestion("spec", ASK_CROP, CROP_ASSUMED),
        OpenQuestion("reading", ASK_READING),
        OpenQuestion("answer", ASK_ANSWER),
    ]
    if side is None:
        questions.append(OpenQuestion("size", ASK_SIZE))
    else:
        known["size"] = side
    return Draft("onnx", path, (), known, tuple(questions))


def read_bytes(path: Path, sha256: str | None = None) -> bytes:
    """Return the content of a file of at most `BYTES_MAX`, of that hash where it is known.

    Raises
    ------
    ModelError
        If it is missing, too large or another one.
    """
    name = show_name(path)
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ModelError(
                "a weight file is too large", name, "At most {n} GiB are read.", n=BYTES_MAX >> 30
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelError("a file cannot be read", f"{name}: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError("a weight file is damaged or another one", name, "Add the detector again.")
    return data


def build(recipe: Recipe, folder: Path, *, device: str = "auto") -> BlackBox:
    """Return the detector of a stored recipe.

    Raises
    ------
    ModelError
        If the file is damaged or cannot be run.
    """
    where = runtime.pick_device(device).type
    data = read_bytes(folder / recipe.file, recipe.sha256)
    session = open_session(data, recipe.name, device=where)
    first, _side, batch = layout_of(session, recipe.name)
    entry = session.get_inputs()[0]
    kind = _FLOATS[entry.type]

    def ask(pictures: NDArray[np.float32]) -> NDArray[np.floating]:
        x = pictures if first else pictures.transpose(0, 2, 3, 1)
        x = np.ascontiguousarray(x, kind)
        step = batch or len(x)
        rows = []
        for start in range(0, len(x), step):
            part = x[start : start + step]
            short = step - len(part)
            if short:  # a fixed batch is filled up with its last picture
                part = np.concatenate([part, np.repeat(part[-1:], short, axis=0)])
            out = np.asarray(session.run(None, {entry.name: part})[0])
            rows.append(out.reshape(len(part), -1)[: step - short])
        return np.concatenate(rows)

    on_gpu = "CUDAExecutionProvider" in session.get_providers()
    return BlackBox(
        ask,
        recipe.card(),
        recipe.spec,
        recipe.reading,
        recipe.answer,
        device="cuda" if on_gpu else "cpu",
        batch=runtime.BATCH["cuda" if on_gpu else "cpu"],
    )
