"""A setting that `doctor` proposes to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.runs.directory import flatten

_DEFAULTS = dict(flatten(asdict(ImitationConfig())))


@dataclass(frozen=True)
class Change:
    """A setting to change.

    Attributes:
        flag: of the setting, without dashes.
        to: what to set; of a number, the least that it should be.
        most: what to set where it is larger, or None.
        times: what to multiply it by.
    """

    flag: str
    to: float | str | None = None
    most: int | None = None
    times: float | None = None

    @property
    def key(self) -> str:
        """The setting's name in a flattened configuration."""
        return self.flag.replace("-", "_")

    def value(self, flat: Mapping[str, Any]) -> float | str | None:
        """What to set in a run with these settings by name; None if it is so, or if there is nothing to multiply."""
        now = flat[self.key]
        if self.times is not None:
            return self._multiplied(now, self.times)
        if self.most is not None:
            return self.most if now is None or now > self.most else None
        enough = isinstance(self.to, (int, float)) and isinstance(now, (int, float)) and now >= self.to
        return None if enough or now == self.to else self.to

    def _multiplied(self, now: Any, times: float) -> float | None:
        usual = _DEFAULTS[self.key]
        if not now:  # 0 stays 0
            return usual if now == 0 and times > 1 else None
        value = now * times if usual is None else type(usual)(now * times)
        return None if value == now or not value else value

    def __str__(self) -> str:
        if self.times is None:
            return f"`--{self.flag} {self.to if self.most is None else self.most}`"
        return f"{'half of' if self.times < 1 else 'twice'} `--{self.flag}`"
