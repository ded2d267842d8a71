"""The methods by their names: a new one is one line here."""

from __future__ import annotations

from gpnerf.methods.gpnerf.model import GPNeRF
from gpnerf.methods.method import Method
from gpnerf.system.errors import ConfigError

METHODS: dict[str, type[Method]] = {"gpnerf": GPNeRF}


def method_class(name: str) -> type[Method]:
    """Raises ConfigError for a name that is no method's."""
    if name not in METHODS:
        raise ConfigError(
            f"Expected a method, one of {', '.join(sorted(METHODS))}, found {name!r}; correct --method."
        )
    return METHODS[name]
