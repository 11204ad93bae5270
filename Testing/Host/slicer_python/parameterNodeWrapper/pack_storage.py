"""How a parameter pack lies in a parameter node: each field under ``name.field``."""

from __future__ import annotations

from functools import partial
from typing import Any

from .storage import Storage
from .validators import NotNone, Validator


class _IsPack(Validator):
    def __init__(self, kind: type) -> None:
        self._kind = kind

    def validate(self, value: Any) -> None:
        if not isinstance(value, self._kind):
            raise ValueError(f"Expected a {self._kind.__name__}, got {value!r}.")


class PackStorage(Storage):
    """A pack that was read writes itself back whenever one of its fields is set."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self.validators = [NotNone(), _IsPack(kind)]

    @property
    def default(self) -> Any:
        return self._kind()

    @property
    def _fields(self) -> dict[str, Any]:
        return self._kind.allParameters

    def holds(self, node: Any, name: str) -> bool:
        field, parameter = next(iter(self._fields.items()))
        return parameter.storage.holds(node, f"{name}.{field}")

    def remove(self, node: Any, name: str) -> None:
        for field, parameter in self._fields.items():
            parameter.storage.remove(node, f"{name}.{field}")

    def read(self, node: Any, name: str) -> Any:
        values = {field: parameter.storage.read(node, f"{name}.{field}") for field, parameter in self._fields.items()}
        pack = self._kind(**values)
        pack._onChange = partial(self.write, node, name, pack)
        return pack

    def _write(self, node: Any, name: str, value: Any) -> None:
        for field, parameter in self._fields.items():
            parameter.storage.write(node, f"{name}.{field}", getattr(value, field))
