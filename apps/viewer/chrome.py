"""What stands on the viewer's tool bar; the keys are those of the design's keyboard map."""

from typing import NamedTuple


class Tool(NamedTuple):
    """A tool of the mouse: exactly one is chosen."""

    name: str
    key: str
    icon: str
    words: str


class Action(NamedTuple):
    """A button that does something at once, or switches something on and off."""

    name: str
    key: str
    icon: str
    words: str
    toggle: bool = False
    wide: bool = False
    text: str = ""


class Preset(NamedTuple):
    """A window that has a button of its own; the numbers are in `dicom/windows.ts`."""

    key: str
    label: str


class Layout(NamedTuple):
    """How many viewports, rows by columns."""

    value: str
    words: str


TOOLS = (
    Tool("window", "W", "wl", "Window"),
    Tool("scroll", "S", "scroll", "Scroll"),
    Tool("zoom", "Z", "zoom", "Zoom"),
    Tool("pan", "D", "pan", "Move"),
    Tool("length", "L", "length", "Length"),
)
ACTIONS: tuple[Action | None, ...] = (
    Action("references", "R", "reflines", "Reference lines", toggle=True, wide=True),
    Action("together", "Y", "link", "Scroll together", toggle=True, wide=True),
    None,
    Action("invert", "I", "invert", "Invert", toggle=True),
    Action("turn", "O", "rotate", "Turn by 90 degrees", wide=True),
    Action("play", "Space", "cine", "Play", toggle=True),
    Action("fit", "V", "", "Fit into the viewport", wide=True, text="Fit"),
    Action("one", "Q", "", "One image pixel to one screen pixel", wide=True, text="1:1"),
    Action("reset", "0", "reset", "As it came"),
)
PRESETS = (Preset("1", "Lung"), Preset("2", "Soft"), Preset("4", "Bone"), Preset("5", "Brain"))
LAYOUTS = (
    Layout("1x1", "1 × 1"),
    Layout("1x2", "1 × 2"),
    Layout("2x1", "2 × 1"),
    Layout("2x2", "2 × 2"),
)
