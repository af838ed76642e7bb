"""Use a trained model, in scikit-learn's words: ``load_model("models/champion").predict(rows)``.

A model's folder is all that is needed: neither the project around it, nor DVC, nor Prefect.
"""

from selfsame.scoring.predictor import Classifier, Regressor, load_model

__all__ = ["Classifier", "Regressor", "load_model"]
