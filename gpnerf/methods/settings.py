"""The settings of a model: its method, sizes, function and recipe."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from gpnerf.config.fields import changeable_names, from_options, values_before
from gpnerf.methods.method import Method
from gpnerf.methods.registry import METHODS, method_class
from gpnerf.system.errors import ConfigError

PARTS = ("sizes", "function", "recipe")


@dataclass(frozen=True)
class Settings:
    """A method and an object of each of its three settings classes; see Method."""

    method: str
    sizes: Any
    function: Any
    recipe: Any

    @staticmethod
    def of(method: str, **values: Any) -> Settings:
        """Builds settings from fields of the three classes; other fields keep their defaults.

        Raises TypeError for an unknown field.
        """
        kinds = _kinds(method)
        names = {part: {one.name for one in fields(kind)} for part, kind in kinds.items()}
        unknown = set(values) - set().union(*names.values())
        if unknown:
            raise TypeError(f"{method} has no {', '.join(sorted(unknown))}")
        return Settings(
            method,
            *(
                kind(**{name: value for name, value in values.items() if name in names[part]})
                for part, kind in kinds.items()
            ),
        )

    @staticmethod
    def from_options(options: Namespace, classes: int) -> Settings:
        """Builds the settings of options.method from the options; classes: number of classes in the data."""
        kinds = _kinds(options.method)
        sizes = from_options(kinds.pop("sizes"), options, classes=classes)
        return Settings(options.method, sizes, *(from_options(kind, options) for kind in kinds.values()))

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Settings:
        """Builds settings from a `record`; fields missing in it take their values before.

        Raises ConfigError for a method or a field that this version does not know.
        """
        method = record["method"]
        if method not in METHODS:
            raise ConfigError(f"it has the unknown method {method!r}")
        for part, kind in _kinds(method).items():
            unknown = sorted(set(record[part]) - {one.name for one in fields(kind)})
            if unknown:
                raise ConfigError(f"it has unknown {part}: {', '.join(unknown)}")
        kinds = _kinds(method).items()
        return Settings(method, *(kind(**{**values_before(kind), **record[part]}) for part, kind in kinds))

    def record(self) -> dict[str, Any]:
        """The settings as plain values, for a checkpoint."""
        return {"method": self.method, **{part: asdict(getattr(self, part)) for part in PARTS}}

    def build(self) -> Method:
        """A freshly initialised model, on the CPU."""
        return method_class(self.method)(self.sizes, self.function, self.recipe)

    def differences(self, wanted: Settings, parts: tuple[str, ...] = PARTS) -> str:
        """Describes the fields that differ from `wanted` and must not, "" if none does."""
        if self.method != wanted.method:
            return f"method is {self.method}, not {wanted.method}"
        return "; ".join(
            f"{name} is {old}, not {new}"
            for part in parts
            for name, old, new in _differing(getattr(self, part), getattr(wanted, part), may_change=False)
        )

    def changes(self, wanted: Settings) -> str:
        """Describes the options of a run that differ from `wanted` and may, "" if none does."""
        differing = _differing(self.recipe, wanted.recipe, may_change=True)
        return ", ".join(f"{name} {old} -> {new}" for name, old, new in differing)

    def decides_outputs(self) -> dict[str, Any]:
        """The part of the record that decides outputs together with the weights."""
        return {name: value for name, value in self.record().items() if name != "recipe"}


def _differing(one: Any, other: Any, may_change: bool) -> list[tuple[str, Any, Any]]:
    """Names and both values of the fields that differ, among those that may change or those that may not."""
    changeable = changeable_names(type(one))
    values = asdict(other)
    return [
        (name, value, values[name])
        for name, value in asdict(one).items()
        if value != values[name] and (name in changeable) == may_change
    ]


def _kinds(method: str) -> dict[str, type]:
    found = method_class(method)
    return {"sizes": found.Sizes, "function": found.Function, "recipe": found.Recipe}
