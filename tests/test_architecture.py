"""The laws of the house: what may import what, and that ``dvc.yaml`` says what the code does."""

import ast
import graphlib
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from closure import OBSERVERS, closure, imported_names, misfits, python_files
from project import ROOT, copy_sources

from selfsame.cli import app
from selfsame.cli_page import explain_commands
from selfsame.core.graph_file import StageSpec, read_stages, read_yaml
from selfsame.params import registry
from selfsame.params.check import check_params
from selfsame.params.reading import json_schema

STAGES = read_stages(ROOT / "dvc.yaml")
PACKAGED_WEIGHTS = "= torch.load(path, weights_only=True)"
HEAVY = ("torch", "torchvision", "sklearn", "matplotlib", "prefect", "dvc")  # slow to import
# Who may import whom, besides itself; a package that isn't here has no place in the house yet.
MAY_IMPORT = {
    "selfsame.core": set(),
    "selfsame.processes": set(),
    "selfsame.system_errors": {"selfsame.core"},
    "selfsame.stage_lock": {"selfsame.core", "selfsame.processes"},
    "selfsame.git": {"selfsame.core"},
    "selfsame.dsse": {"selfsame.core"},
    "selfsame.observe": {"selfsame.core", "selfsame.git", "selfsame.params", "selfsame.processes"},
    "selfsame.sources": {"selfsame.core", "selfsame.params"},
    "selfsame.params": {"selfsame.core"},
    "selfsame.roles": {"selfsame.core", "selfsame.params"},
    "selfsame.model": {"selfsame.core", "selfsame.params"},
    "selfsame.families": {"selfsame.core", "selfsame.model", "selfsame.params"},
    "selfsame.learning": {
        "selfsame.core",
        "selfsame.families",
        "selfsame.model",
        "selfsame.observe",
        "selfsame.params",
    },
    "selfsame.selection": {"selfsame.core", "selfsame.params"},
    "selfsame.engine": {"selfsame.core", "selfsame.params"},
    "selfsame.labeling": {"selfsame.core", "selfsame.model", "selfsame.params", "selfsame.selection"},
    "selfsame.stats": {"selfsame.core"},
    "selfsame.pages": set(),
    "selfsame.report": {
        "selfsame.core",
        "selfsame.model",
        "selfsame.pages",
        "selfsame.selection",
        "selfsame.stats",
    },
    "selfsame.dag": {
        "selfsame.core",
        "selfsame.dsse",
        "selfsame.git",
        "selfsame.params",
        "selfsame.processes",
        "selfsame.system_errors",
    },
    "selfsame.operation": {"selfsame.core", "selfsame.params", "selfsame.sources"},
    "selfsame.runner": {
        "selfsame.core",
        "selfsame.observe",
        "selfsame.params",
        "selfsame.stage_lock",
        "selfsame.system_errors",
    },
    "selfsame.audit": {
        "selfsame.core",
        "selfsame.dag",
        "selfsame.dsse",
        "selfsame.git",
        "selfsame.observe",
        "selfsame.pages",
        "selfsame.stats",
    },
    "selfsame.trials": {"selfsame.core", "selfsame.dag", "selfsame.params", "selfsame.processes"},
    "selfsame.active": {
        "selfsame.scoring",
        "selfsame.core",
        "selfsame.dag",
        "selfsame.git",
        "selfsame.model",
        "selfsame.pages",
        "selfsame.params",
    },
    "selfsame.start": {
        "selfsame.core",
        "selfsame.pages",
        "selfsame.params",
        "selfsame.roles",
        "selfsame.sources",
    },
    "selfsame.scoring": {
        "selfsame.audit",
        "selfsame.core",
        "selfsame.engine",
        "selfsame.model",
        "selfsame.observe",
        "selfsame.pages",
        "selfsame.params",
        "selfsame.processes",
        "selfsame.selection",
        "selfsame.sources",
        "selfsame.stats",
    },
    "selfsame.erasure": {
        "selfsame.audit",
        "selfsame.core",
        "selfsame.dag",
        "selfsame.dsse",
        "selfsame.git",
        "selfsame.observe",
        "selfsame.params",
        "selfsame.roles",
        "selfsame.sources",
        "selfsame.start",
    },
    "selfsame.predict": {"selfsame.scoring"},
    "selfsame.export": {
        "selfsame.audit",
        "selfsame.core",
        "selfsame.dag",
        "selfsame.model",
        "selfsame.scoring",
        "selfsame.sources",
    },
    "selfsame.cli_page": set(),
    "selfsame.doctor": {"selfsame.core", "selfsame.dag", "selfsame.git"},
    "selfsame.__main__": {"selfsame.cli"},
    "selfsame.cli": {
        "selfsame.start",
        "selfsame.active",
        "selfsame.audit",
        "selfsame.core",
        "selfsame.cli_page",
        "selfsame.dag",
        "selfsame.doctor",
        "selfsame.erasure",
        "selfsame.operation",
        "selfsame.params",
        "selfsame.trials",
        "selfsame.export",
        "selfsame.scoring",
        "selfsame.system_errors",
        "flows",
    },
    "tasks": {
        "selfsame.core",
        "selfsame.engine",
        "selfsame.labeling",
        "selfsame.families",
        "selfsame.learning",
        "selfsame.model",
        "selfsame.observe",
        "selfsame.params",
        "selfsame.report",
        "selfsame.roles",
        "selfsame.runner",
        "selfsame.selection",
        "selfsame.sources",
        "selfsame.stats",
    },
    "flows": {
        "selfsame.core",
        "selfsame.dag",
        "selfsame.operation",
        "selfsame.params",
        "selfsame.processes",
        "selfsame.system_errors",
        "selfsame.trials",
    },
}
OWNERS = {
    "prefect": {"flows"},
    "dvc": {"selfsame.dag"},
    "torch": {"selfsame.export", "selfsame.families", "selfsame.learning", "selfsame.model"},
    "onnx": {"selfsame.export"},
    "mlflow": {"selfsame.export"},
    "ray": {"selfsame.engine"},
}
UNSAFE = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


@pytest.fixture(autouse=True)
def _at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def product_files() -> list[Path]:
    return [file for name in ("flows", "selfsame", "tasks") for file in python_files(ROOT / name)]


def package_of(dotted: str) -> str | None:
    """``selfsame.core.stage`` → ``selfsame.core``; None for what isn't ours."""
    parts = dotted.split(".")
    if parts[0] == "selfsame":
        return ".".join(parts[:2]) if len(parts) > 1 else None
    return parts[0] if parts[0] in ("flows", "tasks") else None


def own_package(file: Path) -> str:
    package = package_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
    assert package is not None
    return package


@pytest.mark.parametrize("spec", STAGES.values(), ids=STAGES)
def test_a_stage_declares_the_code_that_it_imports(spec: StageSpec) -> None:
    assert list(misfits(spec, ROOT)) == []


def test_an_undeclared_helper_is_found(tmp_path: Path) -> None:
    copy_sources(ROOT, tmp_path)
    (tmp_path / "tasks" / "helper.py").write_text("from selfsame.sources import embedded\n")
    with (tmp_path / "tasks" / "split.py").open("a") as file:
        file.write("def hidden():\n    from tasks.helper import embedded\n")
    assert list(misfits(STAGES["split"], tmp_path)) == [
        "split imports selfsame/sources/embedded.py, declared by nothing",
        "split imports selfsame/sources/source.py, declared by nothing",
        "split imports tasks/helper.py, declared by nothing",
    ]
    assert list(misfits(STAGES["download"], tmp_path)) == []


def test_code_in_an_init_file_is_found(tmp_path: Path) -> None:
    copy_sources(ROOT, tmp_path)
    (tmp_path / "selfsame" / "__init__.py").write_text("SEED = 1\n")
    assert list(misfits(STAGES["split"], tmp_path)) == [
        "split imports selfsame/__init__.py, declared by nothing"
    ]


def test_a_needless_dependency_is_found() -> None:
    spec = StageSpec("split", "", "", (*STAGES["split"].code, "selfsame/report"), (), (), ())
    assert list(misfits(spec, ROOT)) == ["split declares selfsame/report and imports nothing of it"]


def test_every_module_of_a_declared_folder_is_used_by_a_stage_that_declares_it() -> None:
    closures = {name: closure(ROOT / "tasks" / f"{name}.py", ROOT) for name in STAGES}
    for dep in {dep for spec in STAGES.values() for dep in spec.code if (ROOT / dep).is_dir()}:
        declarers = [name for name, spec in STAGES.items() if dep in spec.code]
        for file in python_files(ROOT / dep):
            path = file.relative_to(ROOT).as_posix()
            assert any(path in closures[name] for name in declarers), f"{path} reruns {declarers} for nothing"


def test_init_files_are_empty() -> None:
    """A stage runs them, but a dependency on a subfolder doesn't cover them."""
    written = [path for name in ("selfsame", "tasks", "flows") for path in (ROOT / name).rglob("__init__.py")]
    assert written
    assert [path for path in written if path.read_bytes()] == []


def test_each_package_imports_only_what_is_below_it() -> None:
    packages = {own_package(file) for file in product_files()}
    assert packages == set(MAY_IMPORT)
    graphlib.TopologicalSorter(MAY_IMPORT).prepare()  # raises CycleError
    for file in product_files():
        allowed = {None, own_package(file), *MAY_IMPORT[own_package(file)]}
        for name in imported_names(file, ROOT):
            assert package_of(name) in allowed, f"{file.relative_to(ROOT)} imports {name}"


def test_tasks_import_no_other_task() -> None:
    for file in (ROOT / "tasks").glob("*.py"):
        assert not [name for name in imported_names(file, ROOT) if package_of(name) == "tasks"], file


def test_the_library_is_given_no_stage() -> None:
    takers = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "selfsame").rglob("*.py")
        if "selfsame.core.stage.Stage" in imported_names(file, ROOT)
    }
    assert takers == {"selfsame/runner.py"}


def test_dvc_is_known_to_one_module() -> None:
    importers = {
        file.relative_to(ROOT).as_posix()
        for file in product_files()
        if any(name.split(".")[0] == "dvc" for name in imported_names(file, ROOT))
    }
    assert importers == {"selfsame/dag/adapter.py"}


def test_what_operating_systems_do_differently_stands_in_one_module() -> None:
    own = re.compile(r"\bfcntl\b|killpg|setsid|start_new_session|msvcrt|prctl|os\.fork")
    users = {
        file.relative_to(ROOT).as_posix()
        for file in product_files()
        if own.search(file.read_text(encoding="utf-8"))
    }
    assert users == {"selfsame/processes.py"}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_one_owner(library: str) -> None:
    importers = {
        own_package(file)
        for file in product_files()
        if any(name.split(".")[0] == library for name in imported_names(file, ROOT))
    }
    assert importers == OWNERS[library]


@pytest.mark.parametrize("spec", STAGES.values(), ids=STAGES)
def test_a_stage_imports_neither_prefect_nor_dvc(spec: StageSpec) -> None:
    observers = {file.relative_to(ROOT).as_posix() for file in python_files(ROOT / OBSERVERS)}
    for path in closure(ROOT / "tasks" / f"{spec.name}.py", ROOT) | observers:
        foreign = {name.split(".")[0] for name in imported_names(ROOT / path, ROOT)}
        assert not foreign & {"prefect", "dvc"}, path


@pytest.mark.parametrize("stage", STAGES)
def test_importing_a_stage_loads_nothing_heavy(stage: str) -> None:
    code = f"import sys, tasks.{stage}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_nothing_is_imported_by_name() -> None:
    places = {
        file.relative_to(ROOT).as_posix()
        for file in product_files()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in ("import_module", "__import__", "importlib")
        if file.relative_to(ROOT).parts[0] != "flows"
    }
    assert places == set()


def test_no_module_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {
        file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for room in ("selfsame", "tasks", "flows")
        for file in python_files(ROOT / room)
    }
    assert not {name: lines for name, lines in lengths.items() if lines > 300}


def test_no_pickle() -> None:
    for file in product_files():
        assert not UNSAFE & {name.split(".")[0] for name in imported_names(file, ROOT)}, file
        # One file comes in a package, as torch wrote it in 2020: its digest first, then a restricted reader.
        text = file.read_text(encoding="utf-8").replace(PACKAGED_WEIGHTS, "")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in ("torch.load", "torch.save"), file
            assert not (isinstance(node, ast.keyword) and node.arg == "allow_pickle"), file


def test_a_stage_is_one_name_everywhere() -> None:
    assert {file.stem for file in python_files(ROOT / "tasks")} == set(STAGES)
    for name, spec in STAGES.items():
        assert spec.cmd == f"python -m tasks.{name}"
        assert spec.desc, f"{name} has no desc"
        assert (ROOT / "tests" / "tasks" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("spec", STAGES.values(), ids=STAGES)
def test_a_stage_lists_the_parameter_sections_that_it_reads(spec: StageSpec) -> None:
    read = {
        node.args[0].value
        for path in closure(ROOT / "tasks" / f"{spec.name}.py", ROOT)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "stage.section"
    }
    assert sorted(read) == list(spec.params)


def test_every_section_has_a_reader_or_is_read_by_no_stage() -> None:
    read = {name for spec in STAGES.values() for name in spec.params}
    assert read == set(registry.STAGES)


def test_every_module_of_parameters_is_in_the_registry() -> None:
    schemas = {path.stem for path in python_files(ROOT / "selfsame/params")}
    machinery = {"augmentation", "check", "listing", "migrate", "overrides", "project", "reading"}
    machinery |= {"registry", "together"}
    assert schemas - machinery == set(registry.SECTIONS)


def test_the_published_schema_is_that_of_the_code() -> None:
    written = json.loads((ROOT / "params.schema.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(json_schema(registry.SECTIONS, registry.AROUND))), (
        "run 'selfsame schema'"
    )


def test_the_page_on_every_command_is_the_parsers() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == explain_commands(app), "run 'selfsame schema'"


@pytest.mark.parametrize(
    "path", [Path("params.yaml"), *sorted(Path("presets").glob("*.yaml"))], ids=lambda path: path.stem
)
def test_parameters_satisfy_both_schemas(path: Path) -> None:
    check_params(read_yaml(path), path.name)
    schema = json_schema(registry.SECTIONS, registry.AROUND)
    jsonschema.validate(read_yaml(path), schema, jsonschema.Draft202012Validator)


def test_the_default_is_the_preset_digits() -> None:
    assert (ROOT / "presets" / "digits.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_the_default_parameters_fit_on_a_page_and_explain_themselves() -> None:
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
    comments = [
        line.partition("# ")[2] for line in lines if "# " in line and "yaml-language-server" not in line
    ]
    assert len(comments) > 20
    assert [text for text in comments if not (text[0].isupper() or text[0] == "`") or text[-1] != "."] == []


@pytest.mark.parametrize("path", sorted(Path("presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_preset_is_short_and_writes_only_what_differs(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 70


# Where it is asked what the target is: what labels are, who fills a protocol, who guesses, and who refuses.
TARGET_IS_ASKED_IN = {
    "selfsame/active/request.py",
    "selfsame/audit/target.py",
    "selfsame/core/tables.py",
    "selfsame/families/estimators.py",
    "selfsame/params/together.py",
    "selfsame/report/target.py",
    "selfsame/scoring/predictor.py",
    "selfsame/sources/target.py",
    "selfsame/start/guess.py",
}
# Those that ask it too, and are to stop; the list may only become shorter.
TARGET_IS_STILL_ASKED_IN = {"selfsame/families/committee.py"}
KINDS = {"classification", "regression"}


def asks_for_the_target(file: Path) -> bool:
    """Tell whether a module branches on what the target is: by its name, or by whether there are classes."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Compare(left=left, comparators=others):
                found = any(_is_kind(side) for side in (left, *others))
            case ast.Dict(keys=keys):
                found = any(_is_kind(key) for key in keys)
            case ast.If(test=test) | ast.IfExp(test=test) | ast.UnaryOp(operand=test):
                found = _is_classes(test)
            case ast.BoolOp(values=values):
                found = any(map(_is_classes, values))
            case _:
                found = False
        if found:
            return True
    return False


def _is_kind(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value in KINDS


def _is_classes(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "classes"


def test_what_the_target_is_is_asked_in_one_place() -> None:
    asking = {file.relative_to(ROOT).as_posix() for file in product_files() if asks_for_the_target(file)}
    assert asking - TARGET_IS_STILL_ASKED_IN == TARGET_IS_ASKED_IN
