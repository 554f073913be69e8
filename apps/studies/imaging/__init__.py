"""Pixels: decoding frames, rendering them for a screen, comparing two pictures."""

from apps.studies.imaging.decode import Frame, UndecodableError, decode_frame
from apps.studies.imaging.render import Rendering, Window, render_frame

__all__ = ["Frame", "Rendering", "UndecodableError", "Window", "decode_frame", "render_frame"]
