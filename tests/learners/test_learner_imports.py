import subprocess
import sys

import pytest

LIGHT = [
    *("learners", "learners.base", "learners.discrepancy", "learners.embeddings", "learners.head", "learners.splits"),
    "domain.metrics",
]


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_do_not_import_torch(module):
    code = f"import sys, mollia_cli.{module}; sys.exit(bool({{'torch', 'transformers'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
