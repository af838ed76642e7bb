"""The pipeline as a Prefect flow, derived from DVC's graph: it names no stage.

DVC decides what is up to date and how a stage runs; Prefect runs the stages in order, in parallel where
the graph allows it, and shows what happened. Its own task cache is off: there is one owner of freshness.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.futures import wait as wait_for_all
from prefect.states import Completed, Failed

from flows.artifacts import publish
from flows.request import RunRequest
from flows.runs import guarded
from selfsame.core.errors import PassingError, SelfsameError
from selfsame.dag import storage
from selfsame.dag.adapter import find_reasons
from selfsame.dag.commit import record_run
from selfsame.dag.execute import run_stage
from selfsame.dag.plan import PlannedStage, read_plan
from selfsame.dag.workspace import Workspace, hold_workspace
from selfsame.operation.refresh import refresh as fetch_news
from selfsame.params.operation import OperationParams
from selfsame.params.reading import load_section

KINDS = ("ran", "restored", "unchanged")  # of outcomes, each the first word of its state's message
FLOW_RUN_VARIABLE = "SELFSAME_FLOW_RUN"  # the flow run's id and name, for the provenance record
HINDERED = "Hindered"  # the state of a chore that failed for a reason that may pass


@flow(name="pipeline")
def pipeline(
    targets: list[str] | None = None,
    force: bool = False,
    overrides: dict[str, Any] | None = None,
    refresh: bool = False,
    pull: bool = False,
    push: bool = False,
    commit: bool = False,
    rehash: bool = False,
    wait: bool = True,
) -> State:
    """Bring the pipeline up to date.

    Args:
        targets: stages to bring up to date, with what they need; all by default.
        force: run every stage, stale or not.
        overrides: other values of `params.yaml` by dotted key, as `{"pseudo_label.threshold": 0.9}`, run as a
            DVC experiment: the workspace stays as it is.
        refresh: first fetch `operation.refresh_url`, if it has changed.
        pull: take from the DVC remote what another machine has computed, instead of computing it.
        push: at the end send to the DVC remote whatever it lacks.
        commit: at the end record the run in git, and tag a promoted champion.
        rehash: hash every file again, even those whose size and time didn't change.
        wait: wait while another flow writes to this workspace, instead of failing.

    Returns:
        A completed state (`Cached` if nothing ran), or a failed one whose message says what failed.
    """
    request = RunRequest(targets or [], force, overrides or {}, refresh, pull, push, commit, rehash, wait)
    return guarded(
        lambda: run_experiment_of(request) if request.overrides else run_graph(check_params, request)
    )


# Parameters are plain JSON values already. Prefect's own way imports FastAPI, a tenth of a no-op run.
pipeline.serialize_parameters = dict  # type: ignore[assignment, method-assign]


def run_graph(check: Callable[[], None], request: RunRequest) -> State:
    """Run the graph of the current folder's ``dvc.yaml``, whatever its stages, inside a flow run.

    Args:
        check: called before any stage runs, to stop bad input. It isn't when all is up to date: then
            every parameter that a stage reads is as it was when the stage ran, and was checked then.

    Raises:
        SelfsameError: the request can't be met, DVC can't read the project, the workspace is in use and
            the run is not to wait, or the check failed.
    """
    branch = request.check()
    operation: OperationParams = load_section("operation", OperationParams)
    with hold_workspace(request.wait, get_run_logger().info) as workspace:
        if request.refresh:
            do_chore("refresh", lambda: fetch_news().message, operation)
        if request.pull:
            do_chore("pull", storage.pull_run_cache, operation)
        plan = read_plan(request.targets, request.rehash)
        if request.force or any(one.reasons for one in plan.stages):
            check()
        futures: dict[str, PrefectFuture[State]] = {}
        for planned in plan.stages:
            named = run_planned.with_options(name=planned.stage, task_run_name=planned.stage)
            futures[planned.stage] = named.submit(
                workspace,
                planned,
                request,
                operation.limit_seconds(planned.stage),
                return_state=False,
                wait_for=[futures[name] for name in planned.upstreams],
            )
        wait_for_all(list(futures.values()))
        states = {stage: future.state for stage, future in futures.items()}
        news = any(not (state.message or "").startswith("unchanged") for state in states.values())
        publish(plan, states, news)
        state = judge(states)
        if state.is_completed() and request.push:  # even if nothing ran: an earlier one may have failed
            do_chore("push", storage.push, operation)
        if state.is_completed() and request.commit:
            record = partial(record_run, plan.metrics, branch, operation.signing_key_file)
            do_chore("commit", record, operation)
        return state


def run_experiment_of(request: RunRequest) -> State:
    """Run the pipeline with overrides; which stages ran stands in the message, all else in DVC."""
    from selfsame.dag.experiments import name_of, run_experiment  # with every section's schema

    request.check()
    name = name_of("run", request.overrides)
    trial = run_experiment(
        request.overrides, name, get_run_logger().info, request.targets, request.wait, flow_run_environment()
    )
    return Completed(message=f"{sum_up(trial.stages)}; experiment {name}: see dvc exp show")


def do_chore(name: str, chore: Callable[[], str], operation: OperationParams) -> None:
    """Do one thing beside the stages, as a task of its own, trying again while that may help.

    Raises:
        SelfsameError: it failed for good.
    """
    state: State = run_chore.with_options(
        name=name,
        task_run_name=name,
        retries=operation.retries,
        retry_delay_seconds=operation.retry_delays(),
        retry_condition_fn=lambda _task, _run, state: state.name == HINDERED,
    )(chore, return_state=True)
    if not state.is_completed():
        raise SelfsameError(f"{name}: {state.message}")


@task(cache_policy=NO_CACHE, persist_result=False)
def run_chore(chore: Callable[[], str]) -> State:
    """Do one thing beside the stages; its state carries what it says."""
    try:
        return Completed(message=chore())
    except PassingError as error:
        return Failed(name=HINDERED, message=str(error))
    except SelfsameError as error:
        return Failed(message=str(error))


def check_params() -> None:
    """Check the whole of ``params.yaml``; imports every stage's module."""
    from selfsame.params.project import check_project  # every section's schema: a tenth of a no-op run

    check_project()


@task(cache_policy=NO_CACHE, persist_result=False)
def run_planned(
    workspace: Workspace, planned: PlannedStage, request: RunRequest, limit_seconds: float | None
) -> State:
    """Bring one stage up to date; what is upstream of it is so by now."""
    # A stale stage is asked again: it may have been so only because of a stage that gave the same bytes.
    reasons = ("forced",) if request.force else planned.reasons and find_reasons(planned.stage)
    if not reasons:
        return cached("unchanged")
    logger = get_run_logger()
    logger.info("stale: %s", "; ".join(reasons))
    outcome = run_stage(
        workspace,
        planned.stage,
        logger.info,
        request.force,
        flow_run_environment(),
        request.pull,
        limit_seconds,
    )
    if outcome.kind == "failed":
        return Failed(message=outcome.error)
    if outcome.kind == "ran":
        return Completed(message=f"ran in {outcome.seconds:.1f} s: {'; '.join(reasons)}")
    return cached(outcome.kind)


def cached(kind: str) -> State:
    """Return the state of a stage whose command had no need to run."""
    words = {"unchanged": "up to date", "restored": "outputs taken from the DVC cache or remote"}
    return Completed(name="Cached", message=f"{kind}: {words[kind]}")


def judge(states: dict[str, State]) -> State:
    """Return the flow's own state: failed unless all stages completed, naming those that didn't, and why."""
    failed = [stage for stage, state in states.items() if state.is_final() and not state.is_completed()]
    blocked = [stage for stage, state in states.items() if not state.is_final()]
    if failed or blocked:
        errors = "\n".join(
            f"{stage}: {states[stage].message or states[stage].name}" for stage in failed or blocked
        )
        named = f"failed: {', '.join(failed) or 'none'}; blocked: {', '.join(blocked) or 'none'}"
        return Failed(message=f"{named}\n{errors}")
    kinds = {stage: (state.message or "").split()[0].rstrip(":") for stage, state in states.items()}
    nothing_new = set(kinds.values()) <= {"unchanged"}
    return Completed(name="Cached" if nothing_new else "Completed", message=sum_up(kinds))


def sum_up(kinds: Mapping[str, str]) -> str:
    """Say which stages ran, were restored, stayed unchanged."""
    groups = {kind: [stage for stage, found in kinds.items() if found == kind] for kind in KINDS}
    return "; ".join(f"{kind}: {', '.join(stages)}" for kind, stages in groups.items() if stages)


def flow_run_environment() -> dict[str, str]:
    """Name the flow run to the stage's process."""
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None
    run = {"flow_run_id": str(context.flow_run.id), "flow_run_name": context.flow_run.name}
    return {FLOW_RUN_VARIABLE: json.dumps(run)}
