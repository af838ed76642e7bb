"""The page on every command, made from the command line's own parser."""

from typing import Any

import typer
from typer.main import get_command

EXIT_CODES = """\
| exit code | meaning |
|---|---|
| 0 | done |
| 1 | an error that a person can mend, told in one message with its fix; a run that failed; something that an audit or a check found wrong |
| 2 | the command itself is wrong: an unknown option, a missing argument |
| 3 to 6 | [`audit`](#audit) alone: incomplete, stale, dirty, unsigned |
| 7 | [`score`](#score) alone: scored, and rows or predictions are unlike the training's |
"""  # noqa: E501 (a table's row is a line)
HEADER = f"""# Every command

Made by `selfsame schema` from the command line itself. `selfsame COMMAND --help` says the same in a terminal,
and `selfsame --install-completion` teaches your shell to complete names and options.

{EXIT_CODES}
`--debug`, before the command's name, shows the traceback of an error.
"""


def explain_commands(app: typer.Typer) -> str:
    """Return the page: each command with what it does, its arguments and its options, as Markdown."""
    group: Any = get_command(app)
    return "\n".join([HEADER, *(_section(name, group.commands[name]) for name in sorted(group.commands))])


def _section(name: str, command: Any) -> str:
    arguments = [_metavar(each) for each in command.params if each.param_type_name == "argument"]
    rows = [_row(each) for each in command.params if each.name != "help"]
    table = ["", "| argument or option | what it does |", "|---|---|", *rows] if rows else []
    usage = " ".join(["selfsame", name, *arguments])
    return "\n".join([f"## {name}", "", f"`{usage}`", "", command.help.strip(), *table, ""])


def _row(each: Any) -> str:
    if each.param_type_name == "argument":
        names, default = _metavar(each), each.default
    elif each.is_flag:
        names = ", ".join(each.secondary_opts if each.default is True and each.secondary_opts else each.opts)
        default = None
    else:
        names, default = f"{', '.join(each.opts)} {_metavar(each)}", each.default
    told = "" if default is None or callable(default) else f" Default: `{default}`."
    text = " ".join((each.help or "").split())
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{names}`", text + told)) + " |"


def _metavar(each: Any) -> str:
    word = each.metavar or each.name.upper().replace("_", "-")
    if each.param_type_name == "argument":
        word += "…" if each.nargs == -1 else ""
        word = word if each.required else f"[{word}]"
    return str(word)
