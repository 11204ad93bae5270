"""Threads that wait leave their cores to those who work, unless the user wants them otherwise."""

import os
import subprocess
import sys

import pytest

from DiffusionCore.jobs.worker_process import worker_environment

SHELL = "import os; from DiffusionCore.__main__ import main; main(['models']); print(os.environ['OMP_WAIT_POLICY'])"


@pytest.mark.parametrize(("own", "expected"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_sleep_while_they_wait_in_workers_and_in_the_shell(own, expected):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | own
    assert worker_environment(environment)["OMP_WAIT_POLICY"] == expected
    done = subprocess.run([sys.executable, "-c", SHELL], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == expected


def test_the_shell_says_so_before_torch_is_loaded():
    code = "import sys; import DiffusionCore.__main__; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
