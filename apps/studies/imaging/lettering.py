"""The letters of texts in pictures: Roboto, which has Latin, Greek and Cyrillic."""

from functools import lru_cache
from importlib.resources import files

from PIL import ImageFont


@lru_cache(maxsize=64)
def letters(size: int) -> ImageFont.FreeTypeFont:
    """Return the font in a size in pixels."""
    return ImageFont.truetype(str(files("font_roboto") / "files" / "Roboto-Regular.ttf"), size)
