"""Retrieve: one engine behind C-MOVE, C-GET, WADO-RS and the pages."""

from apps.studies.retrieve.frames import (
    PixelBytes,
    frame_transfer_syntax,
    lies_as_given,
    stored_frames,
)
from apps.studies.retrieve.metadata import BASE_TOKEN, instance_metadata, series_metadata
from apps.studies.retrieve.outgoing import (
    dataset_chunks,
    part10_chunks,
    read_behind,
    read_header,
    sound,
)
from apps.studies.retrieve.select import Item, Selection, select
from apps.studies.retrieve.transcode import can_transcode, transcoded_dataset, transcoded_part10

__all__ = [
    "BASE_TOKEN",
    "Item",
    "PixelBytes",
    "Selection",
    "can_transcode",
    "dataset_chunks",
    "frame_transfer_syntax",
    "instance_metadata",
    "lies_as_given",
    "part10_chunks",
    "read_behind",
    "read_header",
    "select",
    "series_metadata",
    "sound",
    "stored_frames",
    "transcoded_dataset",
    "transcoded_part10",
]
