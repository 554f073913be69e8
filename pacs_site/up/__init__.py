"""Everything `make up` does: servers from Python wheels, migrations, the supervised processes."""
