"""Speed claims that an installed package can repeat, each a ratio against the plain way in the same run."""
