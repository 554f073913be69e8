"""HL7 v2 as bytes and text: character sets, separators, MLLP frames, data types. Pure Python."""
