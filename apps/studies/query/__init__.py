"""Query: one engine behind C-FIND and QIDO-RS."""

from apps.studies.query.attributes import ATTRIBUTES, BY_KEYWORD, Attribute, Level, attributes_of
from apps.studies.query.engine import Answer, Query, Row, search

__all__ = [
    "ATTRIBUTES",
    "BY_KEYWORD",
    "Answer",
    "Attribute",
    "Level",
    "Query",
    "Row",
    "attributes_of",
    "search",
]
