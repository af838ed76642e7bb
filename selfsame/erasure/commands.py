"""The command that erases rows: thin, imported when it is needed."""

from pathlib import Path
from typing import Annotated

import typer


def erase(
    example_ids: Annotated[list[str], typer.Argument(help="Ids of the rows.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing changes.")] = False,
    key: Annotated[
        Path | None, typer.Option(help="PEM file of the private key that signs the receipt.")
    ] = None,
) -> None:
    """Erase rows from the source, the labels, every stored result; run anew; leave a receipt.

    Without --yes it says what would be done. Other rows keep their roles.
    """
    from selfsame.erasure.carry_out import carry_out
    from selfsame.erasure.plan import planned

    with planned(example_ids) as plan:
        typer.echo(plan.format())
        if not yes:
            typer.echo(
                "nothing is changed yet: add --yes" + ("" if key else ", and --key for a signed receipt")
            )
            return
        receipt = carry_out(plan, key, typer.echo)
    typer.echo(f"erased, committed; receipt {receipt}{'' if key else ', which nobody signed'}")
    typer.echo("'dvc push' sends the new results to the remote")


COMMANDS = (erase,)
