"""The faults a user can mend. Scripts print the sentence without a traceback and exit with code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class GPNeRFError(Exception):
    """A message that names what was expected, what was found, where, and what mends it."""


class DataError(GPNeRFError):
    """A scene, image, pose or label file is missing or wrong."""


class ConfigError(GPNeRFError):
    """An option is unknown, has the wrong type, or contradicts another."""


class TrainingError(GPNeRFError):
    """A training that cannot go on: no finite gradients, or no memory."""


class CheckpointError(GPNeRFError):
    """A checkpoint is missing, unreadable, or belongs to another model."""


class Faults:
    """Collects faults, so that a report can name all of them, each once, and not the first alone.

    `with faults.collected():` keeps a DataError of its body instead of letting it pass.
    """

    def __init__(self) -> None:
        # The keys of a dict are in the order of their coming.
        self._told: dict[str, None] = {}

    @property
    def sentences(self) -> list[str]:
        return list(self._told)

    def add(self, *sentences: str) -> None:
        self._told |= dict.fromkeys(sentences)

    @contextmanager
    def collected(self) -> Iterator[None]:
        try:
            yield
        except ManyFaults as error:
            self.add(*error.sentences)
        except DataError as error:
            self.add(str(error))

    def raise_any(self) -> None:
        """Raises ManyFaults if there are any."""
        if self.sentences:
            raise ManyFaults(self.sentences)


class ManyFaults(DataError):
    """Says the first of its sentences and how many more there are."""

    def __init__(self, sentences: list[str]) -> None:
        first, others = sentences[0], len(sentences) - 1
        more = f" ({others} more; scripts/check_data.py lists them all)." if others else "."
        super().__init__(first.removesuffix(".") + more)
        self.sentences = sentences
