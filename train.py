"""python train.py CONFIG key=value...   (the same as `llmcxr train`)"""

from llmcxr.cli.app import train

if __name__ == "__main__":
    train()
