"""The command that writes a model, or its chain, in a form of others: thin, imported when it is needed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CHAMPION, VALIDATION_ROWS
from selfsame.scoring.commands import Revision

NEEDED = ("onnx", "onnxscript", "onnxruntime")


def export(
    form: Annotated[str, typer.Argument(metavar="onnx|labels|openlineage|cyclonedx", help="What to export.")],
    path: Annotated[Path, typer.Argument(help="A model's folder, or what else a stage wrote.")] = CHAMPION,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; stdout if left out.")] = None,
    rows: Annotated[Path, typer.Option(help="onnx: rows to check the file with.")] = VALIDATION_ROWS,
    url: Annotated[str | None, typer.Option(help="openlineage: a server's lineage endpoint.")] = None,
    rev: Revision = None,
) -> None:
    """Write the model as ONNX; all labels with who gave them; or the chain: OpenLineage, CycloneDX ML-BOM."""
    if form != "onnx":
        from selfsame.audit.commands import export as export_chain

        export_chain(form, path, output, url, rev)
        return
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SelfsameError(f"export onnx needs {', '.join(missing)}", "pip install 'selfsame[onnx]'")
    from selfsame.export.onnx_file import export_onnx
    from selfsame.scoring.place import model_folder
    from selfsame.scoring.predictor import load_model

    target = output or Path("model.onnx")
    with model_folder(path, rev) as folder:
        difference = export_onnx(load_model(folder, "cpu"), target, rows)
    typer.echo(f"wrote {target}; of {rows} it says the same as the model, up to {difference:.2g}")


COMMANDS = (export,)
