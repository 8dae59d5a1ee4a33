"""`llmcxr bench encode`, which an installed package has too, for `make bench`."""

from llmcxr.cli.app import main

if __name__ == "__main__":
    main(["bench", "encode"])
