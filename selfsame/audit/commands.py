"""The auditor's commands: thin, each one call into the audit, imported when it is needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CHAMPION

if TYPE_CHECKING:
    from selfsame.audit.signature import Identity
    from selfsame.audit.snapshot import Snapshot


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Revision = Annotated[str | None, typer.Option("--rev", help="A git revision instead of the workspace.")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail (6) where all is well but nobody signed it.")]
Model = Annotated[Path, typer.Argument(help="A file or folder that a stage wrote.")]


def audit(
    path: Model = CHAMPION,
    rev: Revision = None,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write one offline page to this file.")] = None,
    chain: Annotated[bool, typer.Option(help="Print every execution, too.")] = True,
    strict: Strict = False,
) -> None:
    """Walk from an artifact back to the raw bytes, and answer the auditor's fifteen questions.

    The first line is the verdict; the exit status goes with it: broken 1, incomplete 3, stale 4, dirty 5,
    verified and unsigned 0.
    """
    from selfsame.audit.case import Case
    from selfsame.audit.chain import audit_chain, format_chain, format_verdict
    from selfsame.audit.questions import answer_all, audit_document, format_answers
    from selfsame.audit.snapshot import Snapshot
    from selfsame.audit.uses import uses_of, uses_words

    case = Case(Snapshot(rev), path)
    found = audit_chain(case)
    answers = answer_all(case)
    document = audit_document(case, found, answers)
    if html is not None:
        from selfsame.audit.page import render_page

        html.write_text(render_page(document), encoding="utf-8")
        typer.echo(f"wrote {html}")
    elif as_json:
        _echo_json(document)
    else:
        typer.echo(f"{format_verdict(found)}\n\n{format_answers(answers)}")
        if case.weights:
            typer.echo("\n" + uses_words(uses_of(case.snapshot.lineage[0], [case.weights])))
        if chain:
            typer.echo("\n" + format_chain(found))
    _exit(found["verdict"], strict)


def verify(
    release: Annotated[Path | None, typer.Argument(help="A release; without one, the project here.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The signer's public key, of a release, or of records.")
    ] = None,
    identity: Annotated[str | None, typer.Option(help="Or who signed it by Sigstore.")] = None,
    identity_provider: Annotated[str | None, typer.Option(help="And the URL that vouches for them.")] = None,
    tag: Annotated[str | None, typer.Option(help="The git tag here that a release must agree with.")] = None,
    tsa: Annotated[
        Path | None, typer.Option(help="Certificates of the authorities that must have stamped the records.")
    ] = None,
    remote: Annotated[bool, typer.Option(help="Read every object of the DVC remote, too.")] = False,
    resume: Annotated[bool, typer.Option(help="Take up an interrupted run.")] = False,
    uncommitted: Annotated[bool, typer.Option(help="Let tracked files differ from the commit.")] = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Read every byte again, and name what doesn't match.

    The first line is the verdict, and the exit status goes with it, as with 'audit'.
    """
    if release is None:
        from selfsame.audit.verify import verify as verify_project

        answer = verify_project(remote, resume, uncommitted, key, tsa)
    else:
        from selfsame.audit.release import held_against_tag, is_release, verify_release

        if not is_release(release):
            raise SelfsameError(f"{release}: no release", "name a folder that 'selfsame release' wrote")
        answer = verify_release(release, _signer(release, key, identity, identity_provider))
        if tag is not None:
            answer.problems.extend(held_against_tag(release, tag))
    if as_json:
        _echo_json(answer.as_dict())
    else:
        typer.echo(answer.format())
    _exit(answer.verdict, strict)


def rows(
    example_id: Annotated[str | None, typer.Argument(help="The id of an example.")] = None,
    source_row: Annotated[int | None, typer.Option(help="Its position in the source, from 0.")] = None,
    source_file: Annotated[str | None, typer.Option(help="Count from the start of that file.")] = None,
    rev: Revision = None,
    as_json: AsJson = False,
) -> None:
    """Tell one example's role, who labeled it and how, and which models learned from it."""
    from selfsame.audit.rows import describe_row, format_row, id_of_source_row
    from selfsame.audit.snapshot import Snapshot

    snapshot = Snapshot(rev)
    if (example_id is None) == (source_row is None):
        raise SelfsameError("name one example", "give its id, or --source-row")
    name = id_of_source_row(snapshot, source_row, source_file) if source_row is not None else example_id
    assert name is not None
    row = describe_row(snapshot, name)
    if as_json:
        _echo_json(row)
    else:
        typer.echo(format_row(row))


def taint(
    example_ids: Annotated[list[str], typer.Argument(help="Ids of withdrawn examples.")],
    rev: Revision = None,
    history: Annotated[bool, typer.Option(help="Every committed dvc.lock, the newest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Name every pseudo-label and model that withdrawn examples reach, and how to rebuild without them."""
    from selfsame.audit.snapshot import Snapshot
    from selfsame.audit.taint import format_taint, taint_history, trace_taint

    answers = taint_history(example_ids) if history else [trace_taint(Snapshot(rev), example_ids)]
    if as_json:
        _echo_json(answers if history else answers[0])
    else:
        typer.echo("\n\n".join(map(format_taint, answers)))


def sign(
    key: Annotated[Path | None, typer.Option(help="PEM file of the private key, kept outside.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Address of a time stamping authority.")] = None,
) -> None:
    """Put every provenance record that has none yet into a signed envelope (DSSE) beside it.

    With --timestamp an authority outside says, too, that the records are there now (RFC 3161).
    """
    from selfsame.audit.timestamps import stamp
    from selfsame.dag.commit import sign_records

    if key is None and timestamp is None:
        raise SelfsameError("nothing to sign with", "name --key, --timestamp, or both")
    if key is not None:
        typer.echo(f"signed {sign_records(key)} records; commit lineage/")
    if timestamp is not None:
        typer.echo(f"stamped: {stamp(timestamp, key)}; commit it")


def rebuild(
    rev: Annotated[str, typer.Option(help="The git revision to make anew.")] = "HEAD",
    key: Annotated[Path | None, typer.Option(help="PEM file of the private key to sign with.")] = None,
) -> None:
    """Make a revision's model anew in a clean clone, compare every output, and attest who did.

    The exit status is 1 where any byte differs.
    """
    from selfsame.audit.rebuild import rebuild as make_anew

    found = make_anew(rev, key, typer.echo)
    typer.echo(found.format())
    if not found.equal:
        raise typer.Exit(1)


def diff(
    left: Annotated[str, typer.Argument(help="A path, a revision, or REVISION:PATH.")],
    right: Annotated[str, typer.Argument(help="The same; the workspace if left out.")] = "workspace",
    as_json: AsJson = False,
) -> None:
    """Name what differs between two models or revisions, and what is the same."""
    from selfsame.audit.diff import Side, compare, format_diff

    found = compare(Side(left), Side(right))
    if as_json:
        _echo_json(found)
    else:
        typer.echo(format_diff(found))


def export(
    form: Annotated[str, typer.Argument(metavar="FORM", help="Which standard.")],
    path: Model = CHAMPION,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; stdout if left out.")] = None,
    url: Annotated[str | None, typer.Option(help="An OpenLineage server's lineage endpoint.")] = None,
    rev: Revision = None,
) -> None:
    """Put chain, data or model in the words of a standard; or write all labels."""
    from selfsame.audit.snapshot import Snapshot

    if form == "labels":
        _export_labels(Snapshot(rev), output)
        return
    from selfsame.audit.case import Case
    from selfsame.audit.croissant import croissant
    from selfsame.audit.mlbom import bill_of_materials
    from selfsame.audit.openlineage import events, send_events
    from selfsame.audit.technical_file import technical_file

    forms: dict[str, Callable[[Case], str]] = {
        "openlineage": lambda case: "\n".join(map(json.dumps, events(case))),
        "cyclonedx": lambda case: _json(bill_of_materials(case)),
        "croissant": lambda case: _json(croissant(case)),
        "technical-file": lambda case: technical_file(case).rstrip(),
    }
    if form not in forms or (url is not None and form != "openlineage"):
        raise SelfsameError(
            f"no export named '{form}'{' to a server' if url else ''}",
            "labels, onnx, mlflow, openlineage, cyclonedx, croissant, technical-file",
        )
    case = Case(Snapshot(rev), path)
    if url is not None:
        typer.echo(f"sent {send_events(events(case), url)} events to {url}")
    elif output is None:
        typer.echo(forms[form](case))
    else:
        output.write_text(forms[form](case) + "\n", encoding="utf-8")
        typer.echo(f"wrote {output}")


def _export_labels(snapshot: "Snapshot", output: Path | None) -> None:
    import sys
    from contextlib import nullcontext

    from selfsame.audit.label_table import write_labels
    from selfsame.audit.rows import stale_lines
    from selfsame.audit.stale import stale

    for line in stale_lines([str(problem) for problem in stale(snapshot)]):
        typer.echo(line, err=True)
    with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as file:
        count = write_labels(snapshot, file)
    if output is not None:
        typer.echo(f"wrote {output}, {count} labels")


COMMANDS = (audit, verify, rows, taint, sign, rebuild, diff)


def _signer(release: Path, key: Path | None, identity: str | None, provider: str | None) -> "Path | Identity":
    from selfsame.audit.signature import Identity

    if key is not None and identity is None and provider is None:
        return key
    if key is None and identity is not None and provider is not None:
        return Identity(identity, provider)
    raise SelfsameError(
        f"{release}: nothing, or too much, to check its signature with",
        "add --key with the signer's public key, or both --identity and --identity-provider",
    )


def _exit(verdict: str, strict: bool) -> None:
    from selfsame.audit.verdict import exit_status

    if status := exit_status(verdict, strict):
        raise typer.Exit(status)


def _echo_json(value: Any) -> None:
    typer.echo(_json(value))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
