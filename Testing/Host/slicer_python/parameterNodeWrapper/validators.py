"""What keeps a parameter within its bounds: ``validate`` raises, and the parameter stays as it was."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any


class Validator(ABC):
    """A condition on the value of one parameter; modules may derive their own."""

    @abstractmethod
    def validate(self, value: Any) -> None:
        """Raise ValueError if ``value`` is not allowed."""


class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("A value is needed, got None.")


class IsInstance(Validator):
    """Allows values of one type, or of one of several; None is left to ``NotNone``."""

    def __init__(self, classtype: Any) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Expected {self.classtype}, got {value!r} of {type(value)}.")


class WithinRange(Validator):
    """Both ends are allowed."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Expected a value from {self.minimum} to {self.maximum}, got {value}.")


class Minimum(Validator):
    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"Expected at least {self.minimum}, got {value}.")


class Maximum(Validator):
    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"Expected at most {self.maximum}, got {value}.")


class Choice(Validator):
    """A combo box of such a parameter lists the choices."""

    def __init__(self, choices: Collection[Any]) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Expected one of {self.choices}, got {value!r}.")


class Exclude(Validator):
    def __init__(self, excludedValues: Collection[Any]) -> None:
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Expected none of {self.excludedValues}, got {value!r}.")
