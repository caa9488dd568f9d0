from .data.build import HELD_OUT as HELD_OUT
from .data.build import build_dataset as build_dataset
from .data.build import training_framings as training_framings
from .data.dataset import DataSet as DataSet
from .data.dataset import DataSetError as DataSetError
from .data.example import Example as Example
from .data.example import Reasoning as Reasoning
from .data.games import Payoffs as Payoffs
