"""``params.yaml`` for one's own data: short, with the reason of every guess, and ready to run."""

import io
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import LISTING, PARAMS_FILE
from selfsame.params.check import check_params
from selfsame.params.split import SplitParams
from selfsame.sources.faults import counted
from selfsame.sources.source import HOLDOUT, VALIDATION
from selfsame.sources.store import is_address, list_objects
from selfsame.start.guess import Draft, guess
from selfsame.start.report import report_lines
from selfsame.start.survey import Survey, draw, look

PRESETS = Path("presets")
PRESET_OF = {"table": "own-table", "images": "own-images", "arrays": "own-images"}
TRAINED_PRESET = "own-images-trained"
MANY = 1000  # labeled rows; with as many a fifth is enough to choose by, and a fifth to measure by
WIDTH = 100


@dataclass
class Plan:
    """Section ``split`` as guessed, with the reason of each key."""

    keys: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def set(self, key: str, value: Any, why: str) -> None:
        """Set a key with its reason."""
        self.keys[key], self.why[key] = value, why


def write_params(given: str, target: str | None, kind: str | None, force: bool) -> Iterator[str]:
    """Write ``params.yaml`` for the data at a path or an address; yield what is to be said of it.

    Raises:
        SelfsameError: the data can't be guessed at all, or ``params.yaml`` was edited.
    """
    keep_what_was_edited(force)
    path, address = Path(given), given if is_address(given) else None
    if address:
        path = Path("data", f"{path.name}{LISTING}")
        path.parent.mkdir(exist_ok=True)
        path.write_text(list_objects(address), encoding="utf-8")
        yield f"wrote {path}: what {address} holds; 'selfsame refresh' lists it anew"
    draft, plan, found = foresee(path, target, kind)
    text = params_text(path, draft, plan, address)
    check_params(YAML(typ="safe", pure=True).load(text))
    PARAMS_FILE.write_text(text, encoding="utf-8")
    yield from report_lines(found)
    yield from guesses(draft, plan)
    yield f"wrote {PARAMS_FILE}"
    yield _next(found)


def presets() -> dict[str, Path]:
    """Return the files of ``presets/`` by name."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}


def keep_what_was_edited(force: bool) -> None:
    """Stop before a ``params.yaml`` is overwritten that is none of the presets, unless forced."""
    known = [path.read_bytes() for path in presets().values()]
    if PARAMS_FILE.exists() and PARAMS_FILE.read_bytes() not in known and not force:
        raise SelfsameError(
            f"{PARAMS_FILE} was edited: it is none of the presets", "keep a copy of it, then add --force"
        )


def foresee(path: Path, target: str | None, kind: str | None) -> tuple[Draft, Plan, Survey]:
    """Guess both sections for the data at ``path``, and look at the data as they say."""
    draft = guess(path, target, kind)
    found = look(draft.params, SplitParams(group_column=draft.group), path, draft.analysis)
    plan = plan_split(found)
    if draft.group is not None:
        plan.set("group_column", draft.group, "its rows belong together: none of its values is in two roles")
    return draft, plan, draw(found, SplitParams.model_validate(plan.keys))


def guesses(draft: Draft, plan: Plan) -> Iterator[str]:
    """Yield every guess with its reason."""
    for section, keys, why in (("data", draft.keys, draft.why), ("split", plan.keys, plan.why)):
        yield from (f"guess: {section}.{key} = {_value(keys[key])}: {reason}" for key, reason in why.items())


def _next(found: Survey) -> str:
    if found.faults:
        return f"next: mend the {counted(len(found.faults), 'thing')} above, then: selfsame inspect"
    return "next: look through params.yaml, then: dvc repro (or selfsame run), and open reports/report.html"


def plan_split(found: Survey) -> Plan:
    """Size the roles by what was found.

    Args:
        found: a survey with any sizes; it need not have got as far as the roles.
    """
    plan = Plan()
    plan.set("labels_per_class", "all", "every label is used, but for those that choose and measure")
    if found.given is None or found.repeats is None or found.source is None:
        plan.keys |= {"validation_per_class": 0.25, "holdout_fraction": 0.25, "duplicates": "drop"}
        return plan
    known = found.given.labels == found.given.labels
    labeled, own = int(known.sum()), found.given.own[known]
    share = 0.2 if labeled >= MANY else 0.25
    if (own == HOLDOUT).any():
        plan.set(
            "holdout_fraction", None, f"{counted(int((own == HOLDOUT).sum()), 'row')} are set aside as test"
        )
    else:
        plan.set(
            "holdout_fraction",
            share,
            "this share of the labels is for the last measurement alone",
        )
    if (own == VALIDATION).any():
        rows = counted(int((own == VALIDATION).sum()), "row")
        plan.set("validation_per_class", None, f"{rows} are set aside as validation")
    else:
        why = "this share of the others chooses the model and judges the gate"
        plan.set("validation_per_class", share, why)
    contradicting = int(found.repeats.contradicting.sum())
    if contradicting:
        plan.set(
            "duplicates",
            "drop_contradicting",
            f"{counted(contradicting, 'row')} have another one's inputs and another label: all are left out",
        )
    else:
        repeats = int(found.repeats.dropped.sum())
        plan.set(
            "duplicates",
            "drop",
            f"{counted(repeats, 'row')} repeat another one" if repeats else "none repeats",
        )
    if known.all():
        plan.set(
            "empty_pool",
            "allow",
            "every row has a label, so nothing is left to be pseudo-labeled; labels_per_class: 20 would hide "
            "the labels of all but 20 rows a class, and show what a pool would bring",
        )
    return plan


def params_text(path: Path, draft: Draft, plan: Plan, address: str | None = None) -> str:
    """Return the text of ``params.yaml``."""
    name = TRAINED_PRESET if draft.trained else PRESET_OF[draft.keys["source"]]
    preset = read_yaml(PRESETS / f"{name}.yaml")
    if preset["pseudo_label"]["rule"] != draft.gate:
        preset["pseudo_label"] = {"rule": draft.gate}
    preset["evaluate"] = {**(preset.get("evaluate") or {}), "title": _title(path, draft)}
    if address:
        preset["operation"] = {**(preset.get("operation") or {}), "refresh_url": address}
    parts = [
        f"# Written by 'selfsame init {address or path}'; comments say why. Edit what you know better.",
        "# docs/own-data.md explains the keys; 'selfsame inspect' shows what comes of an edit.",
        "# yaml-language-server: $schema=./params.schema.json",
        "",
        _section("data", draft.keys, draft.why),
        _section("split", plan.keys, plan.why),
    ]
    rest = {name: section for name, section in preset.items() if name not in ("data", "split")}
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    for name, section in rest.items():
        yaml.dump({name: section}, text)
        text.write("\n")
    return "\n".join([*parts, text.getvalue().rstrip(), ""])


def _title(path: Path, draft: Draft) -> str:
    name = path.absolute().name.removesuffix(LISTING)
    return f"{draft.keys['target_column']} of {name}" if draft.keys.get("target_column") else name


def _section(name: str, keys: Mapping[str, Any], why: Mapping[str, str]) -> str:
    lines = [f"{name}:"]
    for key, value in keys.items():
        if key in why:
            sentence = f"{why[key][0].upper()}{why[key][1:]}."
            lines += textwrap.wrap(sentence, WIDTH, initial_indent="  # ", subsequent_indent="  # ")
        lines.append(f"  {key}: {_value(value)}")
    return "\n".join([*lines, ""])


def _value(value: Any) -> str:
    """Return a value as YAML in one line."""
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.width = 10_000
    yaml.allow_unicode = True
    yaml.dump({"key": value}, text)
    return text.getvalue().strip().removeprefix("{key: ").removesuffix("}")
