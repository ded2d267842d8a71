"""The faults a user can mend. Scripts print the sentence without a traceback and exit with code 2."""


class GPNeRFError(Exception):
    """A message that names what was expected, what was found, where, and what mends it."""


class DataError(GPNeRFError):
    """A scene, image, pose or label file is missing or wrong."""


class ConfigError(GPNeRFError):
    """An option is unknown, has the wrong type, or contradicts another."""


class CheckpointError(GPNeRFError):
    """A checkpoint is missing, unreadable, or belongs to another model."""
