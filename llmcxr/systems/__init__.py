"""Open and ask any system: our model, a file of predictions, other people's models.

from llmcxr.systems import gather, open_system
gathered = gather(open_system("file:theirs.csv"), dataset, n=500)
"""

from llmcxr.predictor import System
from llmcxr.systems.ask import Gathered, gather
from llmcxr.systems.opening import open_system
from llmcxr.systems.prediction_file import Predictions

__all__ = ["Gathered", "Predictions", "System", "gather", "open_system"]
