"""The command line: each command is one call into the library, imported when it is needed."""

import gc as garbage
import json
import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Annotated, Any

import typer

from selfsame.active import commands as active
from selfsame.audit import commands
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import SUMMARY
from selfsame.erasure import commands as erasure
from selfsame.export import commands as export
from selfsame.scoring import commands as scoring
from selfsame.start import commands as start
from selfsame.system_errors import mendable

LOOKING = ("audit", "rows", "taint", "diff")  # need all that they read to the end: none of it is garbage
SCHEMA = Path("params.schema.json")
KEYS, COMMANDS = Path("docs/params.md"), Path("docs/commands.md")
HELP = """
A few labels and a large pool go in; a better model, its report and its proof come out.

dvc repro: run what changed.

selfsame init flowers.csv --target species: begin with your own data.

selfsame inspect: see what they are taken for.

selfsame predict new.csv -o predicted.parquet: use the result.

selfsame audit models/champion: see where it came from.

selfsame doctor: see what this machine lacks.

Exit codes: 0 done; 1 an error that you can mend, or something found wrong; 2 a wrong option or argument;
3 to 6 what audit found.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Rehash = Annotated[bool, typer.Option(help="Hash every file again, even with the same size and time.")]


@app.callback()
def options(debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False) -> None:
    """Take the options of every command."""
    if debug:
        os.environ["SELFSAME_DEBUG"] = "1"  # the stages' processes heed it too


@app.command()
def run(
    target: Annotated[
        list[str] | None, typer.Option(help="A stage to bring up to date with what it needs; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Run every stage, stale or not.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value: run with it as a DVC experiment; the workspace stays."),
    ] = None,
    refresh: Annotated[
        bool, typer.Option(help="First fetch operation.refresh_url, if it has changed.")
    ] = False,
    pull: Annotated[bool, typer.Option(help="Take from the DVC remote what it has, if needed.")] = False,
    push: Annotated[bool, typer.Option(help="Send to the DVC remote what it lacks.")] = False,
    commit: Annotated[bool, typer.Option(help="Record the run in git; tag a promoted champion.")] = False,
    rehash: Rehash = False,
    wait: Annotated[
        bool, typer.Option(help="Whether to wait while another flow uses the workspace, or to fail at once.")
    ] = True,
) -> None:
    """Run the flow: bring every stale stage up to date."""
    prepare_prefect()
    from flows.pipeline import pipeline
    from flows.runs import start
    from selfsame.params.overrides import parse_overrides

    overrides = parse_overrides(settings or [])
    typer.echo(start(pipeline, target, force, overrides, refresh, pull, push, commit, rehash, wait))


@app.command()
def refresh() -> None:
    """Fetch operation.refresh_url into data.path, if it has changed at its source."""
    from selfsame.operation.refresh import refresh as fetch_news

    typer.echo(fetch_news().message)


@app.command()
def plan(as_json: AsJson = False, rehash: Rehash = False) -> None:
    """Print what would run and why, in order, without running anything."""
    from selfsame.dag.plan import read_plan

    answer = read_plan(rehash=rehash)
    typer.echo(to_json(answer.as_json()) if as_json else answer.format())


@app.command()
def gc(
    delete: Annotated[bool, typer.Option(help="Delete it; without, nothing is.")] = False,
) -> None:
    """List, or delete, what neither a commit, an experiment nor the workspace needs."""
    from selfsame.dag.garbage import collect

    typer.echo(collect(delete).format(delete))


@app.command()
def repeats(
    count: Annotated[int, typer.Argument(min=1, help="How many.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Instead of params.yaml's; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Repeat the pipeline over label draws and seeds, as experiments; print mean and spread."""
    from selfsame.params.overrides import parse_overrides
    from selfsame.trials.repeats import format_repeats, repeats_as_json, run_repeats

    made = run_repeats(count, parse_overrides(settings or []), lambda line: typer.echo(line, err=True))
    typer.echo(to_json(repeats_as_json(made)) if as_json else format_repeats(made))
    if failed := [number for number, one in enumerate(made) if one.error]:
        raise SelfsameError(f"repeats {', '.join(map(str, failed))} failed", "see above; the others are kept")


@app.command()
def feedback(
    apply: Annotated[bool, typer.Option(help="Leave the best trial's result in the workspace.")] = False,
) -> None:
    """Change parameters until validation reaches feedback.target, each trial an experiment."""
    prepare_prefect()
    from flows.feedback import feedback as flow
    from flows.runs import start

    typer.echo(start(flow, apply))


@app.command()
def check(
    migrate: Annotated[bool, typer.Option(help="First bring a file of the former form to this one.")] = False,
) -> None:
    """Check params.yaml, and whether the data that it names can be read."""
    from selfsame.core.layout import PARAMS_FILE
    from selfsame.params.migrate import migrate_file
    from selfsame.params.project import check_project
    from selfsame.start.survey import check_data

    for line in migrate_file() if migrate else ():
        typer.echo(line)
    check_project()
    typer.echo(f"{PARAMS_FILE} is valid")
    for line in check_data():
        typer.echo(line)


@app.command()
def params(as_json: AsJson = False) -> None:
    """Print every parameter: its value, and the line of params.yaml that it comes from, or default."""
    from selfsame.params.listing import format_params, list_params

    values = list_params()
    typer.echo(to_json([vars(value) for value in values]) if as_json else format_params(values))


@app.command()
def schema() -> None:
    """Write params.schema.json, which editors complete params.yaml by, and the pages on keys and commands."""
    from selfsame.cli_page import explain_commands
    from selfsame.params.listing import explain_params
    from selfsame.params.reading import json_schema
    from selfsame.params.registry import AROUND, SECTIONS

    SCHEMA.write_text(to_json(json_schema(SECTIONS, AROUND)) + "\n", encoding="utf-8")
    KEYS.parent.mkdir(exist_ok=True)
    KEYS.write_text(explain_params(), encoding="utf-8")
    COMMANDS.write_text(explain_commands(app), encoding="utf-8")
    typer.echo(f"wrote {SCHEMA}, {KEYS} and {COMMANDS}")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine lacks of what the project can use, and how to get it; 1 if it can't run."""
    from selfsame.doctor import examine, format_findings

    findings = examine()
    typer.echo(to_json([item._asdict() for item in findings]) if as_json else format_findings(findings))
    if any(item.state == "missing" for item in findings):
        raise typer.Exit(1)


@app.command()
def summary() -> None:
    """Print the last result in a few lines."""
    if not SUMMARY.exists():
        raise SelfsameError(f"{SUMMARY}: no such file", "run 'dvc repro' or 'selfsame run'")
    typer.echo(SUMMARY.read_text(encoding="utf-8"), nl=False)


ROOMS = (start, commands, erasure, active, scoring, export)
for command in [one for room in ROOMS for one in room.COMMANDS]:
    app.command()(command)


def prepare_prefect() -> None:
    """Turn Prefect's telemetry off before it is imported, and find the project's own ``flows/``."""
    if Path("flows").is_dir() and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # flows/ isn't installed
    try:
        import flows  # noqa: F401
    except ModuleNotFoundError:
        raise SelfsameError("flows: no such folder", "run this in the folder of a project") from None
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def to_json(value: Any) -> str:
    """Return JSON for people and programs."""
    return json.dumps(value, indent=2, ensure_ascii=False)


class WithoutPandas(MetaPathFinder):
    """Lets Arrow find no pandas, which it would load to ask of a list whether it is one of its tables."""

    def find_spec(self, name: str, *_: Any) -> None:
        """Refuse pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def main() -> None:
    """Run the command line; an error that a person can mend is one message, without a traceback."""
    if sys.argv[1:2] and sys.argv[1] in LOOKING:
        garbage.disable()
        sys.meta_path.insert(0, WithoutPandas())
    try:
        app()
    except Exception as error:
        said = mendable(error)
        if said is None or os.environ.get("SELFSAME_DEBUG") == "1":
            raise
        sys.exit(f"error: {said}")


if __name__ == "__main__":
    main()
