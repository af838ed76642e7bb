"""What no section knows alone: keys of one that mean nothing beside another.

``selfsame check`` and every stage, before it does anything, ask here, so that the stages need not.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import PARAMS_FILE
from selfsame.params.data import DataParams
from selfsame.params.feedback import FeedbackParams, Range
from selfsame.params.model import FittedParams, Mlp
from selfsame.params.overrides import with_overrides
from selfsame.params.pseudo_label import AgreementGate, ClassGate
from selfsame.params.reading import parse
from selfsame.params.registry import STAGES
from selfsame.params.retrain import Offline, SelfTraining, Soft

MEASURE = ("data", "split")  # sections that decide which rows a trial is measured on
FOR_CLASSES = {
    "label_smoothing": 0.0,
    "disturb_label_fraction": 0.0,
    "class_sampling": "as_is",
    "class_weights": "none",
}
FOR_VALUES = {"disturb_value_fraction": 0.0}
OBEYED_WITHOUT_NET = {  # keys that scikit-learn's models heed
    "training": {"refit_on_validation", "class_weights"},
    "train_baseline": {"seed"},
    "retrain": {"method", "seed", "unlabeled_weight"},
    "prediction": set(),
}
OWN_ROWS = ("digits", "breast_cancer", "california_housing")  # no holdout of their own


def together(sections: Mapping[str, Any]) -> Iterator[str]:
    """Name every key of valid sections that means nothing beside another one."""
    data, training = sections["data"], sections["training"]
    yield from _for_target(data, sections)
    yield from _for_kind(data, sections)
    if isinstance(sections["model"], FittedParams):
        yield from _for_no_net(sections)
    yield from _for_counts(data, sections)
    for stage in ("train_baseline", "retrain"):
        own = sections[stage]
        if own.patience_epochs is not None and training.checkpoint == "last":
            yield (
                f"{stage}.patience_epochs = {own.patience_epochs}: with training.checkpoint = last every "
                "epoch is the best so far; set it to null, or the checkpoint to validation_loss"
            )


def _for_target(data: DataParams, sections: Mapping[str, Any]) -> Iterator[str]:
    """What classes need and values don't have, or the other way round."""
    gate, retrain, training = (sections[name] for name in ("pseudo_label", "retrain", "training"))
    members = sections["train_baseline"].ensemble_members
    values = data.target == "regression"
    what = f"data.source = {data.source}, {'a regression' if values else 'which has classes'}"
    if isinstance(gate, AgreementGate) != values:
        wanted = "agreement" if values else "threshold or target_precision"
        yield f"pseudo_label.rule = {gate.rule}: no gate for {what}; set it to {wanted}"
    if bool(members) != values and not isinstance(sections["model"], FittedParams):
        yield (
            f"train_baseline.ensemble_members = {members}: set it to 1 or more for a regression, whose gate "
            f"is an ensemble's agreement, and to 0 for classes; this is {what}"
        )
    for key, neutral in (FOR_CLASSES if values else FOR_VALUES).items():
        value = getattr(training, key)
        if value != neutral:
            yield f"training.{key} = {value!r}: means nothing for {what}; set it to {neutral}"
    if values and training.checkpoint == "validation_accuracy":
        yield f"training.checkpoint = validation_accuracy: {what} has none; set it to validation_loss"
    if values and not isinstance(retrain, Offline):
        yield f"retrain.method = {retrain.method}: needs classes, and this is {what}; set it to offline"
    metric = sections["evaluate"].metric
    if metric is not None and values != (metric == "r2"):
        yield f"evaluate.metric = {metric}: doesn't fit {what}; leave it out, or name another"
    if values and isinstance(retrain, Offline) and isinstance(retrain.pseudo_labels, Soft):
        yield f"retrain.pseudo_labels.name = soft: needs classes, and this is {what}; set it to hard"


def _for_kind(data: DataParams, sections: Mapping[str, Any]) -> Iterator[str]:
    """What images need and tables don't have, or the other way round."""
    model, training, retrain = (sections[name] for name in ("model", "training", "retrain"))
    if data.kind == "table" and not isinstance(model, Mlp | FittedParams):
        yield (
            f"model.architecture = {model.architecture}: needs images, and data.source = {data.source} has "
            "none; set it to committee or mlp"
        )
    if data.kind == "image" and isinstance(model, FittedParams):
        yield f"model.architecture = {model.architecture}: needs a table; set it to cnn or mlp"
    if isinstance(model, FittedParams):
        return
    changes = {"training.augmentation": training.augmentation}
    if isinstance(retrain, SelfTraining):
        changes["retrain.strong_augmentation"] = retrain.strong_augmentation
    for key, augmentation in changes.items():
        if augmentation.name != data.kind:
            yield (
                f"{key}.name = {augmentation.name}: data.source = {data.source} has rows of another kind; "
                f"write '{key.rpartition('.')[2]}: {{name: {data.kind}}}' and what it is to change"
            )


def _for_no_net(sections: Mapping[str, Any]) -> Iterator[str]:
    """What is written for the training of a net, and means nothing where scikit-learn fits a model."""
    what = f"model.architecture = {sections['model'].architecture}, which is no net"
    for name, obeyed in OBEYED_WITHOUT_NET.items():
        for key in sorted(sections[name].model_fields_set - obeyed):
            yield f"{name}.{key} = {getattr(sections[name], key)}: means nothing with {what}; leave it out"
    retrain = sections["retrain"]
    if not isinstance(retrain, Offline):
        yield f"retrain.method = {retrain.method}: needs a net, and this is {what}; set it to offline"


def _for_counts(data: DataParams, sections: Mapping[str, Any]) -> Iterator[str]:
    """What the number of classes or rows decides, where the parameters tell it."""
    gate, retrain, split = (sections[name] for name in ("pseudo_label", "retrain", "split"))
    priors = {"pseudo_label": gate.class_prior if isinstance(gate, ClassGate) else None}
    priors["retrain"] = retrain.class_prior if isinstance(retrain, SelfTraining) else None
    for section, prior in priors.items():
        if prior is not None and data.class_count is not None and len(prior) != data.class_count:
            yield (
                f"{section}.class_prior = {prior}: {len(prior)} shares, and data.source = {data.source} has "
                f"{data.class_count} classes; give one for each, in their order"
            )
    rows, share = split.validation_per_class, split.calibration_fraction
    if isinstance(rows, int) and round(share * rows) == rows:
        yield (
            f"split.calibration_fraction = {share}: leaves none of the {rows} validation rows of a class to "
            "training; lower it, or raise split.validation_per_class"
        )
    if split.holdout_fraction is None and data.source in OWN_ROWS:
        yield (
            f"split.holdout_fraction = null: data.source = {data.source} has no holdout of its own; set it "
            "to a share, for example 0.25"
        )


def search_problems(written: Any, feedback: FeedbackParams) -> Iterator[str]:
    """Name what is wrong with each key of ``feedback.search``, each end of its range, and each choice."""
    for key, space in feedback.search.items():
        section, *path = key.split(".")
        if section in MEASURE:
            yield f"feedback.search: {key} would change the rows that trials are measured on"
        elif section not in STAGES or not path:
            names = ", ".join(name for name in STAGES if name not in MEASURE)
            yield f"feedback.search: {key} is no stage's; search in {names}"
        else:
            for value in (space.low, space.high) if isinstance(space, Range) else space.choices:
                try:
                    tried = with_overrides({section: deepcopy(written[section])}, {key: value})
                    parse(section, STAGES[section], tried[section])
                except SelfsameError as error:
                    yield f"feedback.search: {error.what.splitlines()[0].removeprefix(f'{PARAMS_FILE}: ')}"
                    break
