"""Dutch for the English sentences that lower floors write: notices, reasons, causes, remedies.

What the science stores is English, so that a report reads the same everywhere. For people, a
sentence is recognised by its pattern and said again in their language; one that is not known is
shown as it is.
"""

from __future__ import annotations

import functools
import re

from toolkit._i18n import _, language

_DECIMAL = re.compile(r"^(\d+)\.(\d+)( %)?$")


def N_(text: str) -> str:  # noqa: N802 - gettext's name for "collect, translate later"
    """Mark a text for the catalogue."""
    return text


# fmt: off
# ruff: noqa: E501 - each on one line, as the pattern it is
KNOWN = (
    # verdict/abstention.py and analysis.py: why no verdict is given
    N_("This may not be a face: the face detector's highest score is {value}, below the limit of {limit}."),
    N_("There are too few frames with a usable face: {value}, where at least {limit} are needed."),
    N_("The face could be read in too few of the moments looked at: {value}, where at least {limit} are needed."),
    N_("The face is too small: its median width is {value} px, below the limit of {limit} px."),
    N_("The face mesh is too uncertain: its median presence is {value}, below the limit of {limit}."),
    N_("The face is turned too far: more than {yaw}° in {value} of its moments, above the limit of {limit}."),
    N_("The face is cut off by the edge of the picture: {value} of it lies outside, above the limit of {limit}."),
    N_("The picture quality is too low: its median sharpness is {value}, below the limit of {limit}."),
    N_("The detector gave no usable score."),
    N_("There is no face in the 1 frame looked at."),
    N_("There is no face in the {n} frames looked at."),
    N_("There is no face in any of the {n} moments looked at."),
    N_("The picture is too small to judge a face: {width} x {height} px, at least {limit} px are needed."),
    N_("There are too few frames, and no face in the {n} looked at."),
    N_("A face was seen, but in no moment clearly enough to judge it."),
    # analysis.py and faces/tracks.py: what could not be judged
    N_("{n} of {total} moments looked at are frames without a face."),
    N_("{n} faces (persons) were found; each is judged on its own."),
    N_("{n} persons were found; the {limit} most present are analysed."),
    N_("Logits recomputed from patches differ from the network's by {value}."),
    N_("The picture changes as at a cut."),
    N_("Persons are not grouped across cuts: {why}"),
    N_("Faces stand upright only after turning the picture by {angle} degrees."),
    N_("A face stands turned by {angle} degrees for {seconds} s, unlike the rest of the video; it is not judged."),
    N_("A face gives way to another without a cut: the two are judged as two persons."),
    N_("This long video was looked at every {step} s only; a person on screen for less than twice that can be missed."),
    N_("Nothing moves: the video shows one picture all the time."),
    # media/video.py: what is odd about the file
    N_("The file is truncated: {n} frames of {declared} declared are there."),
    N_("The file is truncated: {n} frames are there."),
    N_("The video is truncated: {n} of {total} frames ({part}) could be decoded."),
    N_("The video is damaged: {n} of {total} frames ({part}) could be decoded."),
    N_("The file is damaged: not all of its data could be reached."),
    N_("The declared frame count is {declared}, but the file holds {n}."),
    N_("The container is damaged: a part claims to reach past the end."),
    N_("{n} trailing bytes follow the video and are no part of it."),
    N_("The declared frame size is {declared}, but pictures are {size}."),
    N_("The file holds {n} video streams; the one read is number {number} ({size}, {count} frames)."),
    N_("There are no timestamps; 25 frames per second are assumed."),
    N_("There are no timestamps for the display order; they were put in order."),
    N_("The file holds {n} recordings joined end to end: its clock starts anew. All frames are kept, and times are counted on from the first recording."),
    N_("The file holds {n} recordings one after the other, each with its own index; only the first is read."),
    N_("{n} frames repeat the timestamp of another and are left out."),
    N_("The first {n} frames need data that is not in the file and are left out."),
    N_("Variable frame rate: frames are {low} to {high} ms apart, most of them {middle} ms."),
    N_("Frames are stored turned; the rotation of {angle}° is undone."),
    N_("A rotation of {angle}° is ignored."),
    N_("The pixel aspect is {aspect}:1; the width is changed to square pixels."),
    N_("The video is interlaced; of each frame every second line is read, and the others are drawn from those."),
    N_("{n} of {total} frames show two moments, line by line, as of interlaced video that is not marked so."),
    N_("The file stores transparency apart; it is not read, frames are opaque."),
    N_("The video has a high dynamic range (PQ); it is tone-mapped for ordinary screens."),
    N_("Frames have an alpha channel and are shown on black."),
    N_("The video has a high dynamic range; colours are read without tone mapping."),
    N_("The file names a rare or wrong colour matrix (number {n}); colours are read as usual for this size."),
    N_("This is a long video: {hours} hours, {n} frames."),
    N_("The frame size changes from {before} to {after}; each picture keeps its shape, within {size}."),
    N_("The pixel format changes from {before} to {after}."),
    # causes of errors
    N_("this is an address; only local files are read"),
    N_("this is a symbolic link"),
    N_("this is not a file but a folder"),
    N_("there is no such file"),
    N_("the file may not be read"),
    N_("the file cannot be opened"),
    N_("this is not a regular file"),
    N_("the file is empty"),
    N_("the file is too large"),
    N_("this is an HTML page, not a video"),
    N_("this is a playlist, not a video"),
    N_("this is not a video but a ZIP archive"),
    N_("this is an image ({kind}), not a video"),
    N_("this is not a video but text"),
    N_("the frames are too large"),
    N_("the file has changed since it was probed"),
    N_("the video is damaged"),
    N_("the video is damaged: none of its first frames can be decoded"),
    N_("there is no video stream"),
    N_("the decoder met something that it does not handle"),
    N_("the video codec is unknown"),
    N_("there are more than {n} frames"),
    N_("decoding needs too much memory"),
    N_("decoder stopped"),
    N_("a model file is missing"),
    N_("a model file is damaged"),
    N_("this sample is not here"),
    N_("there is no detector of that name"),
    N_("the detector does not answer as its card says"),
    # remedies
    N_("Download the video first, then give its path."),
    N_("Give the path of the file itself."),
    N_("Choose a video file."),
    N_("Check the path."),
    N_("Check its permissions."),
    N_("Download or copy it again."),
    N_("At most {n} GiB are read: cut out the part that matters."),
    N_("The download failed: try again."),
    N_("Download the video it points to."),
    N_("Unpack it first."),
    N_("At most {n} pixels are decoded: scale it down."),
    N_("Keep the original as it is and start again."),
    N_("Choose a file with moving pictures."),
    N_("Cut the file into parts."),
    N_("Run: python start.py setup"),
    N_("Do not use this installation: run 'python start.py setup' again."),
    # verdict/comparison.py and beside.py: why two things are not compared
    N_("a person who was not judged cannot be compared"),
    N_("fewer than {least} moments are too few to compare"),
    N_("these moments of a person cannot be judged"),
    N_("there are no such seconds"),
    N_("nobody in the known recording could be judged"),
    N_("there is nobody to compare"),
    N_("the two are the same file"),
    N_("the clip that is known to be genuine is no longer kept"),
    N_("the clip that is known to be genuine was judged by another detector"),
    N_("this was said of somebody else, who had the same letter then"),
    N_("Analyse it again, with this detector."),
    N_("Say it again of the right person."),
    N_("the two were judged by different detectors"),
    N_("Name a longer stretch, or judge more moments."),
    N_("Choose a start before the end."),
    N_("Use another recording."),
    N_("Name another person."),
    N_("Name another recording, or seconds of this one."),
    N_("Analyse one of them again."),
    # titles of the samples
    N_("Planted forgery: the mouth of a man at a webcam, for three of twelve seconds"),
    N_("A man at a webcam, talking; {seconds} s, {width} x {height}"),
    N_("A man with many expressions before a blue wall; {seconds} s, {width} x {height}"),
    N_("A man talking in a car; {seconds} s, {width} x {height}"),
)
# fmt: on


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    def pattern(text: str) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", text)  # literal, name, literal, name, ...
        return re.compile(
            "".join(
                f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)
            )
        )

    return tuple((pattern(text), text) for text in KNOWN)


def localised(text: str) -> str:
    """Return a sentence of a lower floor in the reader's language; an unknown one unchanged.

    Examples
    --------
    >>> localised("There is no face in the 12 frames looked at.")
    'There is no face in the 12 frames looked at.'
    """
    for pattern, template in _patterns():
        if found := pattern.fullmatch(text):
            values = found.groupdict()
            if language() == "nl":
                values = {k: _DECIMAL.sub(r"\1,\2\3", v) for k, v in values.items()}
            return _(template).format(**values)
    return text
