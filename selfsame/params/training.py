"""Section ``training``: how both trainings step."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from selfsame.core.params import Fraction, Positive, Section
from selfsame.params.augmentation import AUGMENTATION, ImageAugmentation


class Optimizer(Section):
    """How a gradient becomes a step."""

    name: str


class Adam(Optimizer):
    """Adam, or AdamW with its decoupled weight decay."""

    name: Literal["adamw", "adam"] = "adamw"


class Sgd(Optimizer):
    """Stochastic gradient descent."""

    name: Literal["sgd"]
    momentum: Annotated[float, Field(ge=0, lt=1, description="Share of the last step kept in the next.")] = (
        0.9
    )
    nesterov: Annotated[bool, Field(description="Whether the momentum is Nesterov's.")] = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov = true needs a momentum above 0")
        return self


class Schedule(Section):
    """What follows the warm-up; nothing but its name."""

    name: Literal["constant", "cosine", "cosine_7_16", "one_cycle"] = "cosine"


class StepSchedule(Section):
    """The learning rate falls in steps."""

    name: Literal["step"]
    every_epochs: Annotated[Positive, Field(description="Epochs between two steps.")] = 100
    factor: Annotated[
        float, Field(gt=0, le=1, description="What a step multiplies the learning rate by.")
    ] = 0.1


class TrainingParams(Section):
    """How both trainings step."""

    batch_size: Annotated[int, Field(ge=3, description="Labeled rows in a step, at most.")] = 128
    learning_rate: Annotated[float, Field(gt=0, description="Learning rate at its peak.")] = 0.002
    optimizer: Annotated[
        Annotated[Adam | Sgd, Field(discriminator="name")], Field(description="Optimizer.")
    ] = Adam()
    weight_decay: Annotated[float, Field(ge=0, description="Weight decay, as the optimizer defines it.")] = (
        0.01
    )
    schedule: Annotated[
        Annotated[Schedule | StepSchedule, Field(discriminator="name")],
        Field(description="How the learning rate falls after the warm-up."),
    ] = Schedule()
    warm_up_fraction: Annotated[
        Fraction, Field(description="Share of all steps in which the learning rate rises to its peak.")
    ] = 0.1
    gradient_clip_norm: Annotated[
        float | None, Field(gt=0, description="Largest norm of the gradient; null leaves it as it is.")
    ] = None
    ema_decay: Annotated[
        float,
        Field(ge=0, lt=1, description="Decay, per step, of the weights' moving average; 0 for no average."),
    ] = 0.99
    label_smoothing: Annotated[
        float,
        Field(ge=0, lt=1, description="α: the true class gets 1 − α, each of the other K − 1 α / (K − 1)."),
    ] = 0.0
    disturb_label_fraction: Annotated[
        Fraction, Field(description="Share of labeled rows whose class is drawn at random in a step.")
    ] = 0.0
    disturb_value_fraction: Annotated[
        Fraction, Field(description="Share of labeled rows whose value gets Gaussian noise in a step.")
    ] = 0.0
    disturb_value_std: Annotated[
        float,
        Field(ge=0, description="That noise's size, in standard deviations of the labeled values."),
    ] = 0.0
    class_sampling: Annotated[
        Literal["as_is", "balanced"],
        Field(description="How labeled rows are drawn; balanced draws every class equally often."),
    ] = "as_is"
    class_weights: Annotated[
        Literal["none", "one_minus_share", "inverse_share"],
        Field(description="Each class's weight in the loss, by its share of the labeled rows."),
    ] = "none"
    checkpoint: Annotated[
        Literal["validation_loss", "validation_accuracy", "last"],
        Field(
            description="Which epoch's weights are kept: those of the best validation figure, or the last."
        ),
    ] = "last"
    validate_every_epochs: Annotated[
        Positive,
        Field(
            description="Epochs between two rows of the history, each with a validation; where "
            "`checkpoint` is `last`, it changes no weights."
        ),
    ] = 1
    augmentation: Annotated[
        AUGMENTATION,
        Field(description="Random change, drawn anew for every example in every step."),
    ] = ImageAugmentation()
    precision: Annotated[
        Literal["float32", "bfloat16"],
        Field(description="Number format in a step; bfloat16 is faster on a GPU, and weights stay float32."),
    ] = "float32"
    compile: Annotated[
        bool, Field(description="Whether torch.compile compiles steps: minutes first, faster afterwards.")
    ] = False
    processes: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes that torchrun starts, on a GPU each where there are any; a batch is "
            "shared among them, and the result is that of one up to rounding.",
        ),
    ] = 1
    refit_on_validation: Annotated[
        bool,
        Field(description="Whether a second training, for as many epochs, learns the validation rows too."),
    ] = True

    @model_validator(mode="after")
    def _disturbed_values_have_a_size(self) -> Self:
        if bool(self.disturb_value_fraction) != bool(self.disturb_value_std):
            raise ValueError(
                "disturb_value_fraction and disturb_value_std need each other: set both, or none"
            )
        return self
