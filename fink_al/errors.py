"""The family of errors. A message says what was found, what is allowed and what to do."""


class FinkAlError(Exception):
    """Base of every error that this package raises on purpose."""


class SettingsError(FinkAlError):
    """A setting is invalid: the job must stop before it starts."""


class AlertError(FinkAlError):
    """One alert cannot be used; ``reason`` is its code in the archive or the dead-letter topic."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class LightCurveError(FinkAlError):
    """Arrays that do not form a batch of light curves."""


class LabelError(FinkAlError):
    """A label that cannot be stored or understood."""


class ModelError(FinkAlError):
    """A model bundle that is missing, damaged, untrusted or made for other features."""


class ServiceError(FinkAlError):
    """A component outside this package (broker, registry, JVM) failed or does not answer."""


class FencedError(ServiceError):
    """Another stream of the same target has taken over: this one must touch nothing any more."""
