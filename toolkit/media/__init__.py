"""Media: probing, reading and writing video files."""

from toolkit.media.video import check_unchanged, guards, probe, read, show_name, widen
from toolkit.media.write import write_h264

__all__ = [
    "check_unchanged",
    "guards",
    "probe",
    "read",
    "show_name",
    "widen",
    "write_h264",
]
