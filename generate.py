"""python generate.py draw TEXT | report IMAGE... | answer IMAGE QUESTION   (the same under `llmcxr`)"""

from llmcxr.cli.app import generate

if __name__ == "__main__":
    generate()
