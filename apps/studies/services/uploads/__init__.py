"""Uploads through the browser: what comes, piece by piece, until it goes through the one ingest.

The server alone knows what it has: a file is offered by its path, length and digest, and the answer
says from where to go on. Small files come whole, many in one request, and go straight to ingest;
ZIPs and long files are kept in pieces, and a worker takes them up when they are whole.
"""

from apps.studies.services.uploads.ending import upload_end, uploads_expire
from apps.studies.services.uploads.receiving import (
    OFFERED_AT_ONCE,
    PIECE_BYTES,
    Offer,
    PieceOutOfPlaceError,
    files_offer,
    piece_take,
    upload_begin,
    wholes_take,
)
from apps.studies.services.uploads.taking_up import uploads_take

__all__ = [
    "OFFERED_AT_ONCE",
    "PIECE_BYTES",
    "Offer",
    "PieceOutOfPlaceError",
    "files_offer",
    "piece_take",
    "upload_begin",
    "upload_end",
    "uploads_expire",
    "uploads_take",
    "wholes_take",
]
