"""`llmcxr bench encode`, which an installed package has too, for `make bench`."""

from llmcxr.cli import main

if __name__ == "__main__":
    main(["bench", "encode"])
