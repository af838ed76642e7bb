"""The commands that hand over a model, or its chain: thin, imported when they are needed."""

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CHAMPION, RELEASE_MODEL, RELEASE_ONNX, VALIDATION_ROWS
from selfsame.scoring.commands import Revision

if TYPE_CHECKING:
    from selfsame.audit.snapshot import Snapshot

FORMS = ("onnx", "mlflow", "labels", "openlineage", "cyclonedx", "croissant", "technical-file")
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def export(
    form: Annotated[str, typer.Argument(metavar="FORM", help=f"One of {', '.join(FORMS)}.")],
    path: Annotated[Path, typer.Argument(help="A model's folder, or what else a stage wrote.")] = CHAMPION,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; of mlflow a folder.")] = None,
    rows: Annotated[Path, typer.Option(help="onnx: rows to check the file with.")] = VALIDATION_ROWS,
    url: Annotated[str | None, typer.Option(help="openlineage: a server's lineage endpoint.")] = None,
    rev: Revision = None,
) -> None:
    """Write the model as ONNX, its run for MLflow; or its labels, chain, data or technical file."""
    if form == "mlflow":
        _write_run(path, output or Path("mlruns"), rev)
        return
    if form != "onnx":
        from selfsame.audit.commands import export as export_chain

        export_chain(form, path, output, url, rev)
        return
    _need("onnx", *NEEDED)
    from selfsame.export.onnx_file import export_onnx
    from selfsame.scoring.place import model_folder
    from selfsame.scoring.predictor import load_model

    target = output or Path("model.onnx")
    with model_folder(path, rev) as folder:
        difference = export_onnx(load_model(folder, "cpu"), target, rows)
    typer.echo(f"wrote {target}; of {rows} it says the same as the model, up to {difference:.2g}")


def release(
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    key: Annotated[Path | None, typer.Option(help="PEM file of the private key, kept outside.")] = None,
    sigstore: Annotated[bool, typer.Option("--sigstore", help="Sign as yourself, or as a CI job.")] = False,
    path: Annotated[Path, typer.Option("--model", help="The model to hand over.")] = CHAMPION,
    rev: Revision = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="With the model as ONNX too, checked.")] = False,
    tag: Annotated[str | None, typer.Option(help="Anchor the digest in a git tag of this name.")] = None,
    sign_tag: Annotated[bool, typer.Option("--sign-tag", help="Sign that tag with your git key.")] = False,
    although: Annotated[str | None, typer.Option(help="The verdict to release it in spite of.")] = None,
) -> None:
    """Write a signed folder to hand over: model, card, records and the audit."""
    from functools import partial

    from selfsame.audit.release import make_release
    from selfsame.audit.snapshot import Snapshot

    if (key is None) != sigstore:
        raise SelfsameError(
            f"{folder}: nothing, or too much, to sign it with", "add either --key or --sigstore"
        )
    if onnx:
        _need("onnx", *NEEDED)
    snapshot = Snapshot(rev)
    further = partial(_write_onnx, snapshot) if onnx else None
    digest = make_release(snapshot, path, folder, key, tag, sign_tag, although, further)
    typer.echo(f"wrote {folder}, digest sha256:{digest}{f', anchored in tag {tag}' if tag else ''}")


COMMANDS = (export, release)


def _need(extra: str, *modules: str) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise SelfsameError(f"export {extra} needs {', '.join(missing)}", f"pip install 'selfsame[{extra}]'")


def _write_run(path: Path, store: Path, rev: str | None) -> None:
    _need("mlflow", "mlflow")
    from selfsame.audit.case import Case
    from selfsame.audit.snapshot import Snapshot
    from selfsame.export.mlflow_run import export_run

    run, new = export_run(Case(Snapshot(rev), path), store)
    typer.echo(f"{store}: run {run} {'written' if new else 'is there already, of the same model'}")


def _write_onnx(snapshot: "Snapshot", release: Path) -> None:
    """Write a release's model as ONNX beside it, checked with the validation rows of its revision."""
    from selfsame.export.onnx_file import export_onnx
    from selfsame.scoring.predictor import load_model

    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch, VALIDATION_ROWS.name)  # what DVC keeps has no ending
        (place,) = snapshot.files(VALIDATION_ROWS).values()
        shutil.copyfile(place, rows)
        difference = export_onnx(load_model(release / RELEASE_MODEL, "cpu"), release / RELEASE_ONNX, rows)
    typer.echo(
        f"{RELEASE_ONNX}: of the validation rows it says the same as the model, up to {difference:.2g}"
    )
