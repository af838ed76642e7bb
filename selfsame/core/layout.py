"""What lies on disk, named once: files, folders, keys of metadata, versions of formats. Constants alone.

Here stands what one part of the project writes and another reads; a name that only its own module needs stays
there. A stage depends on this file, so it changes only together with what it names.
"""

from pathlib import Path

# At the root of the project
GRAPH_FILE = Path("dvc.yaml")
PARAMS_FILE = Path("params.yaml")
LOCK_FILE = Path("dvc.lock")
LINEAGE = Path("lineage")  # a folder of provenance records for every stage
ATTESTATIONS = Path("attestations")  # receipts of erasures, and who rebuilt what
SCRATCH = Path(".scratch")  # all in it can be made again
ANNOTATIONS = Path("data/annotations/labels.csv")  # what people answered
CHAMPION = Path("models/champion")
TO_SCORE = Path("data/to_score")  # what is put there is predicted once
SCORED = Path("data/scored")  # a folder of predictions for every scoring
VALIDATION_ROWS = Path("data/splits/validation.parquet")  # by which an exported model is checked
LISTING = ".listing"  # what the name of a file ends in that tells what an object store had
METRICS = Path("reports/metrics.json")
SUMMARY = Path("reports/summary.txt")  # the result in a few lines
DOUBTFUL = Path("reports/doubtful_labels.csv")  # given labels that look wrong, for ``selfsame answer``

# Tables
ID = "example_id"
KEPT = "column:"  # before the name of a column that is no input, but kept: to split by, and for people
INFO_KEY = b"selfsame"  # of the metadata in which a table of examples carries its description
LEARNED_KEY = b"learned"  # of the metadata in which a record of what was learned names its rounds
GATE_KEY = b"gate"  # of the metadata in which a table of pseudo-labels carries the gate's decision

# A model's folder
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
HISTORY = "history.csv"
LEARNED = "learned.parquet"  # every machine-made label that the training was taught
VALIDATION = "validation.json"
VALIDATED = "validated"  # the model from before a refit, by which it was chosen, in a folder of its own
OUT_OF_FOLD = "out_of_fold.npy"  # of a fitted baseline: what models of the other folds say of every row
ENSEMBLE = "ensemble"  # further nets of a regression's baseline, in folders of their own
MODEL_FORMAT = 4  # of CONFIG
PREDICTION = "prediction.json"  # the champion's: section ``prediction``, by which it was judged
CALIBRATION = "calibration.json"  # the champion's: what its confidence is worth
CALIBRATION_FORMAT = 1
PROFILE = "profile.json"  # the champion's: what the rows were like that it learned from

# Predictions
PREDICTION_KEY = b"selfsame_prediction"  # of the metadata in which a table of predictions names its model
SCORE = "score"  # the name by which the records know a scoring, as they know stages by theirs
SCORING = "scoring.json"  # of a scoring's folder: model, inputs, rows
DRIFT, DRIFT_PAGE = "drift.parquet", "drift.html"  # of a scoring's folder

# A release
RELEASE_MODEL = "model"  # the folder in it that holds the model's
RELEASE_ONNX = "model.onnx"  # on request
RELEASE_SUMS = "SHA256SUMS"
