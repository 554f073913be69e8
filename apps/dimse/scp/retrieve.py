"""C-GET and C-MOVE: one retrieve engine's objects, sent by C-STORE.

Source: PS3.4 C.4.2 (C-MOVE), C.4.3 (C-GET).
"""
