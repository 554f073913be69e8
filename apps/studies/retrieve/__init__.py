"""Retrieve: one engine behind C-MOVE, C-GET, WADO-RS and the pages."""

from apps.studies.retrieve.frames import frame_transfer_syntax, stored_frames, stored_stream
from apps.studies.retrieve.metadata import BASE_TOKEN, instance_metadata, series_metadata
from apps.studies.retrieve.outgoing import dataset_chunks, part10_chunks, read_dataset
from apps.studies.retrieve.select import Item, Selection, select
from apps.studies.retrieve.transcode import can_transcode, transcoded_dataset, transcoded_part10

__all__ = [
    "BASE_TOKEN",
    "Item",
    "Selection",
    "can_transcode",
    "dataset_chunks",
    "frame_transfer_syntax",
    "instance_metadata",
    "part10_chunks",
    "read_dataset",
    "select",
    "series_metadata",
    "stored_frames",
    "stored_stream",
    "transcoded_dataset",
    "transcoded_part10",
]
