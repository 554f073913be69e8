"""DICOM upper layer (PS3.8) and DIMSE messages (PS3.7): knows sockets, knows no hospital.

docs/adr/own-dicom-upper-layer.md says why it is ours.
"""
