"""Judge answers to questions. Import from the submodules: each has one subject."""
