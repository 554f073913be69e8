"""What worklists show, by use case."""

from apps.worklists.modality.selectors import InvalidKeyError, modality_worklist, query_text

__all__ = ["InvalidKeyError", "modality_worklist", "query_text"]
