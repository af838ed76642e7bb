"""All sections of ``params.yaml``: the one place that lists them."""

from selfsame.params.active_learning import ACTIVE_LEARNING
from selfsame.params.compute import ComputeParams
from selfsame.params.data import DATA
from selfsame.params.evaluate import EvaluateParams
from selfsame.params.feedback import FeedbackParams
from selfsame.params.model import MODEL
from selfsame.params.monitoring import MonitoringParams
from selfsame.params.operation import OperationParams
from selfsame.params.prediction import PredictionParams
from selfsame.params.pseudo_label import PSEUDO_LABEL
from selfsame.params.reading import Schemas
from selfsame.params.resources import ResourcesParams
from selfsame.params.retrain import RETRAIN
from selfsame.params.split import SplitParams
from selfsame.params.train_baseline import TrainBaselineParams
from selfsame.params.training import TrainingParams

STAGES: Schemas = {  # sections that stages read: DVC wants them written, if need be as {}
    "data": DATA,
    "split": SplitParams,
    "compute": ComputeParams,
    "model": MODEL,
    "training": TrainingParams,
    "train_baseline": TrainBaselineParams,
    "pseudo_label": PSEUDO_LABEL,
    "retrain": RETRAIN,
    "prediction": PredictionParams,
    "evaluate": EvaluateParams,
}
AROUND: Schemas = {  # sections that no stage reads: an edit reruns nothing
    "resources": ResourcesParams,
    "monitoring": MonitoringParams,
    "operation": OperationParams,
    "active_learning": ACTIVE_LEARNING,
    "feedback": FeedbackParams,
}
SECTIONS: Schemas = {**STAGES, **AROUND}
