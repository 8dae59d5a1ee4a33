"""Run `python -m llmcxr`, which is the same as the program `llmcxr`."""

from llmcxr.cli.app import main

if __name__ == "__main__":
    main()
