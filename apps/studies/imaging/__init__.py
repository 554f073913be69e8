"""Pixels: decoding frames, rendering them for a screen, comparing two pictures."""

from apps.studies.imaging.decode import Frame, UndecodableError, decode_frame
from apps.studies.imaging.presentation import DRAWN, Referenced, referenced, shown_by
from apps.studies.imaging.presented import render_referenced
from apps.studies.imaging.render import Rendering, Window, render_frame

__all__ = [
    "DRAWN",
    "Frame",
    "Referenced",
    "Rendering",
    "UndecodableError",
    "Window",
    "decode_frame",
    "referenced",
    "render_frame",
    "render_referenced",
    "shown_by",
]
