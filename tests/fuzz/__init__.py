"""Feed each door of the package with damaged and hostile inputs, by seed: `python -m tests.fuzz --help`."""
