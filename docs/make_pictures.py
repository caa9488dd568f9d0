"""Draw the README's picture from a benchmark of the embedded model.

    python docs/make_pictures.py [RUN.db]

Without a run the benchmark that `make demo` runs is run first (about two minutes on two cores).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ludens.experiments import bench
from ludens.experiments.bench.figures import save_picture
from ludens.experiments.bench.study import BenchStudy
from ludens.experiments.study.engine import load_result

TARGET = Path(__file__).parent / "pictures" / "demo"

if len(sys.argv) > 1:
    written = save_picture(load_result(BenchStudy, Path(sys.argv[1])), TARGET)
else:
    with tempfile.TemporaryDirectory() as folder:
        written = save_picture(bench(["local/smollm2-135m"], path=Path(folder) / "demo.db"), TARGET)
print(*written, sep="\n")
