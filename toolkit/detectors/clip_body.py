"""The body of SeamNet: OpenAI's CLIP ViT-B/16 image tower, INT8, in ONNX Runtime.

Its scales are found anew for each picture, so it is run one picture at a time: a batch would share
them, and change the answer. Rounding to INT8 is not continuous: a change in the last bit of the
input, or another processor, moves the tokens about as far as going to float32 does, so answers are
compared on many crops, never to the last digit of one. `clip_tower` has the weights in float32.

Radford et al. (2021), Learning transferable visual models from natural language supervision,
doi:10.48550/arXiv.2103.00020. Weights: MIT, OpenAI.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit import models
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.onnx_graph import Graph
from toolkit.errors import ModelError
from toolkit.files import atomic_write
from toolkit.messages import Message, phrase

ID = "clip_vitb16"
"""The body in `models/manifest.toml`."""

SMALL_VARIABLE = "DOORZICHT_SMALL"
"""Environment variable: set, it lets the small network judge as if the body were not here."""

GRID, WIDTH, DEPTH = 14, 768, 12
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

FINGERPRINT_TOLERANCE = 1e-3  # other roundings of the same sums make 1e-5

_MEAN, _STD = np.array(MEAN, np.float32), np.array(STD, np.float32)

FIRST_BLOCK = 1  # its tokens are the same on all processors, before rounding has run wild
PREFIX = "vision_model."
"""Of every name in the graph."""


def missing() -> Message | None:
    """Return in one sentence why the body cannot be used here, or None; nothing is verified."""
    if os.environ.get(SMALL_VARIABLE):
        return phrase(
            "The environment asks for the small network ({variable}).", variable=SMALL_VARIABLE
        )
    if find_spec("onnxruntime") is None:
        return phrase("The package onnxruntime is not installed.")
    pinned = models.find(ID)
    if (models.CACHE / pinned.file).is_file():
        return None
    return phrase(
        "The file {file} ({size:.0f} MB) was not fetched.",
        file=pinned.file,
        size=pinned.bytes / 1e6,
    )


def graph() -> Graph:
    """Return the whole graph of the body, its file verified."""
    return Graph(models.load_bytes(ID))


def _residual(whole: Graph, block: int) -> str:
    """Return the name of what leaves a block (1 to 12)."""
    users = whole.users()
    bias = f"{PREFIX}encoder.layers.{block - 1}.mlp.fc2.bias"
    added = users[bias][0].outputs[0]
    return next(n for n in users[added] if n.kind == "Add").outputs[0]


# --- ONNX Runtime -------------------------------------------------------------------------------


def cut(blocks: Sequence[int]) -> bytes:
    """Return the verified graph, ended after the deepest of these blocks, for one picture.

    Raises
    ------
    ModelError
        If the body is missing or damaged, or has no such block.
    """
    if not blocks or not all(FIRST_BLOCK < b <= DEPTH for b in blocks):
        raise ModelError("the body has no such blocks", f"{tuple(blocks)}", "Use 2 to 12.")
    whole = graph()
    return whole.cut([_residual(whole, b) for b in (FIRST_BLOCK, *blocks)], batch=1)


def cut_file(blocks: Sequence[int]) -> Path:
    """Return where the cut graph is kept."""
    name = Path(models.find(ID).file).stem
    return models.CACHE / f"{name}-{'-'.join(map(str, blocks))}.onnx"


def load_cut(blocks: Sequence[int], sha256: str | None = None) -> bytes:
    """Return the cut graph: as it was kept, when it is what was pinned, else made anew.

    Parameters
    ----------
    blocks
        After which tokens are read.
    sha256
        What the card of the head says of it; None = no card yet.

    Raises
    ------
    ModelError
        If the body is missing or damaged, or its cut is not the one of the card.
    """
    where = cut_file(blocks)
    if sha256 is not None and where.is_file():
        kept = where.read_bytes()
        if hashlib.sha256(kept).hexdigest() == sha256:
            return kept
    graph_cut = cut(blocks)
    if sha256 is not None and hashlib.sha256(graph_cut).hexdigest() != sha256:
        raise ModelError("the cut body is not the one of the card", where.name, models.SETUP)
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(where, graph_cut)
    except OSError:  # a folder that cannot be written to: it is made again next time
        pass
    return graph_cut


class IntegerBody:
    """The INT8 tower in ONNX Runtime; the same bits for a picture however many are asked about.

    Parameters
    ----------
    blocks
        After which tokens are read, increasing.
    sha256
        Of the cut graph, as the card says; None = no card yet.
    wide
        Whether sums of products are formed with more bits: twice as slow, and needed on processors
        whose 8-bit products are cut off (x86-64 without VNNI).
    """

    def __init__(
        self, blocks: Sequence[int], sha256: str | None = None, *, wide: bool = False
    ) -> None:
        import onnxruntime

        self.blocks = tuple(blocks)
        options = onnxruntime.SessionOptions()
        # crops run side by side, each on a thread of its own: see `SeamNet2Detector`
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.x64quantprecision", "1" if wide else "0")
        data = load_cut(self.blocks, sha256)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._session: Any = onnxruntime.InferenceSession(
            data, options, providers=["CPUExecutionProvider"]
        )

    def run(self, rgb: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return the tokens (196, 768) of one crop (S, S, 3): after the first block, and ours."""
        x = (rgb.astype(np.float32) / 255 - _MEAN) / _STD
        picture = np.ascontiguousarray(x.transpose(2, 0, 1)[None])
        return [out[0, 1:] for out in self._session.run(None, {"pixel_values": picture})]

    def tokens(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the tokens (B, 196, 768) of one crop (S, S, 3) after each of the blocks."""
        return np.stack(self.run(rgb)[1:])


@lru_cache(maxsize=1)
def integer_body(
    blocks: tuple[int, ...], sha256: str | None, expected: tuple[float, ...]
) -> IntegerBody:
    """Return the INT8 tower, the one that was opened last if it is the same: opening takes long.

    Parameters
    ----------
    blocks, sha256
        As for `IntegerBody`.
    expected
        Its `fingerprint` on the canary picture, as the card says.

    Raises
    ------
    ModelError
        If it does not compute that here, in neither way; see also `load_cut`.
    """
    gap = float("nan")
    for wide in (False, True):
        body = IntegerBody(blocks, sha256, wide=wide)
        seen = np.array(fingerprint(canary_picture(), body))
        gap = float(np.abs(seen - np.array(expected)).max())
        if gap <= FINGERPRINT_TOLERANCE:
            return body
    raise ModelError(
        "the body does not compute here as its card says",
        phrase("the first block differs by {gap:.3g}", gap=gap),
        "Use --detector seamnet-small on this computer.",
    )


def fingerprint(rgb: NDArray[np.uint8], body: IntegerBody) -> list[float]:
    """Return eight numbers that any processor must agree on: tokens after the first block."""
    first = body.run(rgb)[0]
    return [float(v) for v in first[:: GRID * GRID // 8, ::97].mean(axis=1)[:8]]
