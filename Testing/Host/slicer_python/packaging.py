"""Python packages of the application, as modules ask for them. The host checks, asks the user, and installs nothing."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slicer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

Requirements = str | Requirement | list[str | Requirement]


def load_requirements(path: str | Path) -> list[Requirement]:
    """Return the requirements in a requirements.txt; blank lines, comment lines and options of pip are left out."""
    lines = map(str.strip, Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def pip_check(req: Requirements) -> bool:
    """Tell whether every requirement that applies to this machine is installed in a version that it allows."""
    return not _missing(req)


def pip_ensure(
    requirements: Requirements,
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Return None if nothing is missing, or if the application is tested; ask the user otherwise.

    Raises:
        RuntimeError: the user declined, or agreed: then the text says how to install what is missing.
    """
    missing = _missing(requirements)
    if not missing:
        return None
    names = ", ".join(map(str, missing))
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info(f"{requester or 'A module'} needs {names}; nothing is installed while the application is tested.")
        return None
    title = f"{requester} - Install Python Packages" if requester else "Install Python Packages"
    if prompt_install and not slicer.util.confirmOkCancelDisplay(f"{names} will be installed. Continue?", title):
        raise RuntimeError("User declined package installation")
    return pip_install(missing, constraints, skip_packages=skip_packages, requester=requester)


def pip_install(
    requirements: Requirements, constraints: str | Path | None = None, **_options: object
) -> list[str] | None:
    """Refuse: the packages of the host are those of its environment.

    Raises:
        RuntimeError: always; the text names what to install.
    """
    names = " ".join(str(requirement) for requirement in _as_list(requirements))
    raise RuntimeError(f"This host installs nothing. Install {names} in its environment, and start it again.")


def _missing(requirements: Requirements) -> list[Requirement]:
    asked = [one for one in _as_list(requirements) if one.marker is None or one.marker.evaluate()]
    return [one for one in asked if not _installed(one)]


def _as_list(requirements: Requirements) -> list[Requirement]:
    """Return requirements that may come as one text: a single one, whose marker may hold spaces, or several."""
    if isinstance(requirements, str):
        try:
            requirements = [Requirement(requirements)]
        except InvalidRequirement:
            requirements = requirements.split()
    elif isinstance(requirements, Requirement):
        requirements = [requirements]
    return [one if isinstance(one, Requirement) else Requirement(one) for one in requirements]


def _installed(requirement: Requirement) -> bool:
    if requirement.extras:
        raise NotImplementedError(f"{requirement}: this host does not look into extras.")
    try:
        found = version(canonicalize_name(requirement.name))
    except PackageNotFoundError:
        return False
    return requirement.specifier.contains(found, prereleases=True)
