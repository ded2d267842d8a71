"""Faults that a user can mend. Scripts print the sentence without a traceback and exit with code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class GPNeRFError(Exception):
    """A fault whose message names the file, what was expected, what was found, and a remedy."""


class DataError(GPNeRFError):
    """A scene, image, pose or label file is missing or wrong."""


class ConfigError(GPNeRFError):
    """An option is unknown, has the wrong type, or contradicts another."""


class TrainingError(GPNeRFError):
    """Training cannot go on: its gradients are not finite, or memory ran out."""


class CheckpointError(GPNeRFError):
    """A checkpoint is missing, unreadable, or belongs to another model."""


class Faults:
    """Collects faults, each once, so that a report names all of them instead of the first alone.

    `with faults.collected():` catches a DataError of its body and adds its sentences.
    """

    def __init__(self) -> None:
        # The keys of a dict keep their order and hold each sentence once.
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
    """Several faults; the message is the first sentence and the number of the others."""

    def __init__(self, sentences: list[str]) -> None:
        first, others = sentences[0], len(sentences) - 1
        more = f" ({others} more; scripts/check_data.py lists them all)." if others else "."
        super().__init__(first.removesuffix(".") + more)
        self.sentences = sentences
