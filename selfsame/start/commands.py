"""The commands with which one's own data begin."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from selfsame.core.errors import SelfsameError


def inspect(
    path: Annotated[
        str | None,
        typer.Argument(
            help="A file, folder or s3://bucket/folder; left out, data.path as params.yaml has it."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="With PATH: the column with the labels.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page too, with histograms or thumbnails.")
    ] = None,
) -> None:
    """Show what data are taken for, what is wrong with them and which roles they will get."""
    from selfsame.params.data import DATA
    from selfsame.params.reading import load_section
    from selfsame.params.split import SplitParams
    from selfsame.sources.store import place_at
    from selfsame.start.init import foresee, guesses
    from selfsame.start.report import report_lines
    from selfsame.start.survey import survey

    with place_at(path or "") as place:
        if path is None:
            data = load_section("data", DATA)
            found = survey(data, load_section("split", SplitParams), Path(data.path))
        else:
            draft, plan, found = foresee(place, target, None)
            typer.echo("\n".join(guesses(draft, plan)))
        typer.echo("\n".join(report_lines(found)))
        if html is not None:
            from selfsame.start.page import render_page

            html.write_text(render_page(found), encoding="utf-8")
            typer.echo(f"wrote {html}")
    if found.faults:
        raise SelfsameError(f"{len(found.faults)} things are to be mended", "see 'to mend' above")


def init(
    path: Annotated[
        str, typer.Argument(help="A table, a folder of photos, idx files or an npz; or s3://bucket/folder.")
    ],
    target: Annotated[str | None, typer.Option(help="The column with the labels.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="classification or regression, where the guess would be wrong.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Overwrite a params.yaml that was edited.")] = False,
) -> None:
    """Write params.yaml for one's own data; say what was guessed, and what comes next."""
    from selfsame.start.init import write_params

    for line in write_params(path, target, kind, force):
        typer.echo(line)


def preset(
    name: Annotated[str | None, typer.Argument(help="A file of presets/ without its suffix.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite a params.yaml that was edited.")] = False,
) -> None:
    """List the presets, or copy one to params.yaml."""
    from selfsame.core.graph_file import read_yaml
    from selfsame.core.layout import PARAMS_FILE
    from selfsame.params.check import check_params
    from selfsame.start.init import keep_what_was_edited, presets

    known = presets()
    if name is None:
        typer.echo("\n".join(known))
        return
    if name not in known:
        raise SelfsameError(f"no preset named '{name}'", f"choose one of {', '.join(known)}")
    check_params(read_yaml(known[name]), str(known[name]))
    keep_what_was_edited(force)
    shutil.copyfile(known[name], PARAMS_FILE)
    typer.echo(f"{PARAMS_FILE} is now {known[name]}")


COMMANDS = (init, inspect, preset)
