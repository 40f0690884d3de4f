"""Put one person's face on another's performance, step by step. For lessons.

The old way, which every program that swaps faces still ends with: search the other person's
pictures for the expression of this moment, warp that picture onto the face, match its colours, mask
it, blend it in. No network is trained and nothing is invented, so each step can be shown, turned
with a slider, and broken on purpose. The steps are pure functions of pictures and numbers
(`steps`); `frame` runs them in order, as a `recipe` says; `clip` makes a clip of them, marked as
`toolkit.forge.marks` says.

    python -m toolkit swap TARGET --faces SOURCE --out synthetic_NAME.mp4

TARGET and SOURCE are names of samples or paths; SOURCE may be a folder of pictures.
"""

from __future__ import annotations

from toolkit.forge.swap.clip import (
    FADE,
    SECONDS_MAX,
    SMOOTH_FRAMES,
    Made,
    Performance,
    choose_faces,
    read_performance,
    smooth_mesh,
    swap,
)
from toolkit.forge.swap.command import main
from toolkit.forge.swap.frame import (
    CROP_MARGIN,
    Swapped,
    SwapStep,
    compress,
    labelled,
    looked_at,
    swap_frame,
)
from toolkit.forge.swap.recipe import (
    BLENDINGS,
    BREAKS,
    COLOURS,
    JUMP,
    MOUTHS,
    USUAL,
    Blending,
    Colour,
    Match,
    Mouth,
    SwapRecipe,
    broken,
)
from toolkit.forge.swap.steps import (
    INNER_LIPS,
    SPECK_PART,
    Coloured,
    Float,
    Mask,
    Warped,
    blend,
    inside_mouth,
    make_mask,
    match_colour,
    mouth_from_target,
    mouth_opening,
    warp,
)

__all__ = [
    "BLENDINGS",
    "BREAKS",
    "COLOURS",
    "CROP_MARGIN",
    "FADE",
    "INNER_LIPS",
    "JUMP",
    "MOUTHS",
    "SECONDS_MAX",
    "SMOOTH_FRAMES",
    "SPECK_PART",
    "USUAL",
    "Blending",
    "Colour",
    "Coloured",
    "Float",
    "Made",
    "Mask",
    "Match",
    "Mouth",
    "Performance",
    "SwapRecipe",
    "SwapStep",
    "Swapped",
    "Warped",
    "blend",
    "broken",
    "choose_faces",
    "compress",
    "inside_mouth",
    "labelled",
    "looked_at",
    "main",
    "make_mask",
    "match_colour",
    "mouth_from_target",
    "mouth_opening",
    "read_performance",
    "smooth_mesh",
    "swap",
    "swap_frame",
    "warp",
]
