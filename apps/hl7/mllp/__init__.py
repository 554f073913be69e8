"""The wire: MLLP over TCP. It knows frames and time, not what messages mean."""
