"""Mean and spread of the default pipeline over label draws: ``python benchmarks/draws.py [DRAWS]``.

Copies the project to a temporary folder and runs the whole of it, by ``dvc repro``, once for every value
0 … DRAWS-1 (5 unless told) of ``split.seed``: another draw of labeled, validation, pool and holdout rows.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = ("dvc.yaml", "params.yaml", ".dvcignore", "data/annotations/labels.csv", "selfsame", "tasks")


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name in KEPT:
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, project / name)
        subprocess.run(["dvc", "init", "--no-scm", "--quiet"], cwd=project, env=environment, check=True)
        params = project / "params.yaml"
        for seed in range(draws):
            text = params.read_text(encoding="utf-8")
            params.write_text(
                re.sub(r"(split:\n  seed: )\d+", rf"\g<1>{seed}", text, count=1), encoding="utf-8"
            )
            started = time.monotonic()
            subprocess.run(["dvc", "repro", "--quiet"], cwd=project, env=environment, check=True)
            seconds = time.monotonic() - started
            metrics = json.loads((project / "reports/metrics.json").read_text(encoding="utf-8"))
            rows.append(
                {
                    "baseline": metrics["baseline"]["holdout"]["accuracy"],
                    "student": metrics["student"]["holdout"]["accuracy"],
                    "champion": metrics[metrics["champion"]]["holdout"]["accuracy"],
                    "coverage": metrics["pool"]["coverage"],
                    "precision": metrics["pool"]["precision"],
                    "seconds": seconds,
                }
            )
            print(f"draw {seed}: " + ", ".join(f"{key} {value:.4f}" for key, value in rows[-1].items()))
    print("\n| | mean | sd |\n|---|---|---|")
    for key in rows[0]:
        values = [row[key] for row in rows]
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        print(f"| {key} | {statistics.mean(values):.4f} | {spread:.4f} |")


if __name__ == "__main__":
    main()
