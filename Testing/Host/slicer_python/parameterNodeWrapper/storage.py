"""How a value of each type lies in a vtkMRMLScriptedModuleNode.

| type                | under its name                                   |
|---------------------|--------------------------------------------------|
| int, float, str     | ``str(value)``                                   |
| bool                | ``True`` or ``False``                            |
| Enum                | the name of the member                           |
| pathlib.Path        | ``str(path)``, so an empty path is ``.``         |
| a node              | an empty text, and a node reference of that role |
| a union, Optional   | ``name.i`` holds it, as its i-th type does; None is ``True`` |
| a parameter pack    | ``name.field`` for each field, each as its type  |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import slicer

from .validators import IsInstance, NotNone, Validator


class Storage(ABC):
    """Keeps values of one type in a parameter node.

    Attributes:
        validators: what a value must pass before it is written, in this order.
        default: the value of a parameter without a default of its own.
    """

    validators: list[Validator]
    default: Any

    def validate(self, value: Any) -> None:
        """Raise ValueError or TypeError if ``value`` cannot be stored."""
        for validator in self.validators:
            validator.validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        """Replace the value of ``name``; a value that is refused leaves the former one."""
        self.validate(value)
        with slicer.util.NodeModify(node):
            self._write(node, name, value)

    def holds(self, node: Any, name: str) -> bool:
        return node.HasParameter(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)

    @abstractmethod
    def read(self, node: Any, name: str) -> Any:
        """Return the value of ``name``.

        Raises:
            ValueError: the text in the node is none of this type.
        """

    @abstractmethod
    def _write(self, node: Any, name: str, value: Any) -> None: ...


class TextStorage(Storage):
    """A value that is one text; what could not be read again is not written."""

    def __init__(
        self, accepted: Any, default: Any, decode: Callable[[str], Any], encode: Callable[[Any], str] = str
    ) -> None:
        self.validators = [NotNone(), IsInstance(accepted)]
        self.default = default
        self._decode, self._encode = decode, encode

    def read(self, node: Any, name: str) -> Any:
        return self._decode(node.GetParameter(name))

    def _write(self, node: Any, name: str, value: Any) -> None:
        text = self._encode(value)
        self._decode(text)
        node.SetParameter(name, text)


class NodeStorage(Storage):
    """A reference to a node of the scene; the empty text beside it tells None from never set.

    A node that is in no scene is refused. Slicer stores None for one that never was in a scene, and hangs in the
    removal of one that an observer sets again meanwhile.
    """

    default = None

    def __init__(self, kind: type) -> None:
        self.validators = [IsInstance(kind)]

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and value.GetScene() is None:
            raise ValueError(f"The node '{value.GetName()}' is in no scene.")

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)

    def _write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)


class NoneStorage(Storage):
    """None as a member of a union."""

    default = None

    def __init__(self) -> None:
        self.validators = []

    def validate(self, value: Any) -> None:
        if value is not None:
            raise ValueError(f"Expected None, got {value!r}.")

    def read(self, node: Any, name: str) -> None:
        return None

    def _write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "True")


class UnionStorage(Storage):
    """A value of the first of several types that accepts it."""

    def __init__(self, members: Iterable[Storage]) -> None:
        self.validators = []
        self._members = list(members)
        optional = len(self._members) == 2 and isinstance(self._members[1], NoneStorage)
        self.default = None if optional else self._members[0].default

    def validate(self, value: Any) -> None:
        super().validate(value)
        self._place(value)

    def holds(self, node: Any, name: str) -> bool:
        return any(member.holds(node, f"{name}.{index}") for index, member in enumerate(self._members))

    def remove(self, node: Any, name: str) -> None:
        for index, member in enumerate(self._members):
            member.remove(node, f"{name}.{index}")

    def read(self, node: Any, name: str) -> Any:
        for index, member in enumerate(self._members):
            if member.holds(node, f"{name}.{index}"):
                return member.read(node, f"{name}.{index}")
        raise KeyError(name)

    def _write(self, node: Any, name: str, value: Any) -> None:
        index = self._place(value)
        self.remove(node, name)
        self._members[index].write(node, f"{name}.{index}", value)

    def _place(self, value: Any) -> int:
        """Return the index of the member for ``value``; None goes to the type None even where a node may be None."""
        refusal: Exception = TypeError(f"None of the types of the union takes {value!r}.")
        for index, member in enumerate(self._members):
            if value is None and not isinstance(member, NoneStorage):
                continue
            try:
                member.validate(value)
            except (TypeError, ValueError) as error:
                refusal = error.with_traceback(None)  # its frames would keep everything alive
            else:
                return index
        raise refusal
