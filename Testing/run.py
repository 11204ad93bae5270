"""Run SpatialDiffusion on a fresh machine: each command makes the environment that it needs in .venv first.

    python3 Testing/run.py sample [--output DIR]     the main job on the built-in sample
    python3 Testing/run.py tests [ARGUMENTS]         the tests; the arguments go to pytest
    python3 Testing/run.py panel [MODULE]            the panel of a module with three slice views, in a window
    python3 Testing/run.py system                    the Debian packages that the tests lack, if any

Python 3.11 or newer and git are all that must be there.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
CONSTRAINTS = ROOT / "Testing" / "constraints.txt"
COMMANDS = {
    "sample": ("-m", "DiffusionCore", "sample"),
    # a process per processor; a file stays in one, as its tests share what they have computed
    "tests": ("-m", "pytest", "-n", "logical", "--maxprocesses", "8", "--dist", "loadfile"),
    "panel": (str(ROOT / "Testing" / "Host"), "--gui"),
}
EXTRAS = {"sample": "sample", "tests": "test", "panel": "test"}
OLDEST = (3, 11)

# the rest comes inside the wheels
LIBRARIES = {"libstdc++.so.6": "libstdc++6", "libz.so.1": "zlib1g"}
DRAWING = {
    "libEGL.so.1": "libegl1",
    "libEGL_mesa.so.0": "libegl-mesa0",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
}
WINDOWS = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
NEEDED = {"sample": LIBRARIES, "tests": LIBRARIES | DRAWING, "panel": LIBRARIES | DRAWING | WINDOWS}
FONTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))


def missing_packages(command: str = "tests") -> list[str]:
    """Return the Debian packages that ``command`` lacks on this machine, by trying to use what they bring."""
    missing = [] if importlib.util.find_spec("ensurepip") else [f"python3.{sys.version_info.minor}-venv"]
    if sys.platform == "linux":
        for library, package in NEEDED[command].items():
            try:
                ctypes.CDLL(library)
            except OSError:
                missing.append(package)
        if command != "sample" and not any(_has_fonts(folder) for folder in FONTS):
            missing.append("fonts-dejavu-core")
    return missing


def _has_fonts(folder: Path) -> bool:
    return next(folder.rglob("*.[to]tf"), None) is not None


def stop(reason: str) -> None:
    sys.exit(f"run.py: {reason}")


def python_of_environment() -> Path:
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare(command: str) -> None:
    """Make the environment of ``command`` and install the package in it, unless both were done for these versions."""
    if missing := missing_packages(command):
        stop(f"system packages are missing. Install them with:\n    apt-get install -y {' '.join(missing)}")
    extra = EXTRAS[command]
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()
    stamp = ENVIRONMENT / f"installed-{extra}"
    python = python_of_environment()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if not python.exists():
        say("Making the environment .venv ...")
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    say("Installing the pinned packages; this takes minutes, once ...")
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    installed = subprocess.run([*pip, "-c", str(CONSTRAINTS), "-e", f"{ROOT}[{extra}]"], check=False)
    if installed.returncode:
        stop("the packages could not be installed; see above. Check the connection, and run the same command again.")
    stamp.write_text(wanted, encoding="utf-8")


def check_imports() -> None:
    """Stop with the line that helps if a system library keeps the packages of the tests from loading."""
    code = "import vtk, slicer, PySide6.QtWidgets"
    tried = subprocess.run([str(python_of_environment()), "-c", code], capture_output=True, text=True)
    if tried.returncode:
        stop(f"slicer-core or Qt does not load; a system library is missing. It said:\n{tried.stderr.strip()[-500:]}")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def main(arguments: list[str]) -> int:
    command, *rest = arguments or [""]
    if sys.version_info < OLDEST:
        stop(f"Python {'.'.join(map(str, OLDEST))} or newer is needed, this is {sys.version.split()[0]}.")
    if command == "system" and not rest:
        say(" ".join(missing_packages()))
        return 0
    if command not in COMMANDS:
        stop(f"unknown command '{command}'.\n\n{__doc__}")
    prepare(command)
    if command != "sample":
        check_imports()
    # tests run from the root; the sample from where the user stands, so that --output means what it says
    folder = ROOT if command == "tests" else Path.cwd()
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}  # see DiffusionCore/threads.py
    if command == "tests":
        environment.setdefault("OMP_NUM_THREADS", "1")  # the processes share the processors
    line = [str(python_of_environment()), *COMMANDS[command], *rest]
    return subprocess.run(line, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
