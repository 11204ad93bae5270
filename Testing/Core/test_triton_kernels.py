"""Kernels for CUDA devices, without one: interpreted they equal torch, and they compile for what people have."""

import os
import subprocess
import sys
from pathlib import Path

from DiffusionCore.kernels import VARIABLE, kernels_used

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURES = ["75", "80", "90"]
COMPILED = [
    "bfloat16 by a displacement",
    "deterministic",
    "along a moved grid",
    "flow",
    "local correlation of 9",
    "divergence",
    "affine histograms",
]


def run(*arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if key not in (VARIABLE, "TRITON_INTERPRET")}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=kept | environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def test_in_the_interpreter_they_give_what_torch_gives():
    told = run("-m", "pytest", "-q", "-p", "no:xdist", "Testing/Core/interpreted_kernels.py", TRITON_INTERPRET="1")
    assert " passed in " in told


def test_they_compile_for_three_architectures_without_spilling_registers(tmp_path):
    command = ("Testing/Benchmarks/triton_artifacts.py", "--architectures", *ARCHITECTURES, "--cases", *COMPILED)
    rows = [line.strip("| ").split(" | ") for line in run(*command, TRITON_CACHE_DIR=str(tmp_path)).splitlines()]
    assert {(row[0], row[2]) for row in rows} == {(case, number) for case in COMPILED for number in ARCHITECTURES}
    assert [row[:3] for row in rows if row[4] != "0"] == []


def test_a_sentence_says_what_computes_on_a_device_and_why(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert kernels_used("cpu") == "The kernels of numba compute on cpu."
    assert kernels_used("mps") == "The operations of torch compute on mps, as there are no kernels for it."
    monkeypatch.setenv(VARIABLE, "torch")
    assert kernels_used("cuda:0") == f"The operations of torch compute on cuda:0, as {VARIABLE} says."


def test_without_triton_torch_computes_and_the_log_and_the_sentence_say_so():
    code = (
        "import logging, sys; logging.basicConfig(level='INFO', stream=sys.stdout); sys.modules['triton'] = None;"
        "from DiffusionCore.kernels import kernels_used; print(kernels_used('cuda:0')); kernels_used('cuda:0')"
    )
    logged, sentence = run("-c", code).splitlines()
    why = "the package triton is not installed."
    assert logged.endswith(f"Without the faster kernels of triton on cuda:0: {why}")
    assert sentence == f"The operations of torch compute on cuda:0, slower than the kernels of triton: {why}"
