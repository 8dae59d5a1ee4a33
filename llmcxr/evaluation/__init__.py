"""Judge a model's reports, drawings and answers. Import from the submodules: each has one subject."""
