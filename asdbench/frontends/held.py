"""Features that are in memory, for recordings that come once."""

from collections.abc import Mapping

from asdbench.frontends.pack import Array, FeatureReader


class HeldFeatures(FeatureReader):
    """Features by clip key, given as arrays float32 (channels, bins, frames)."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        super().__init__(())
        self._arrays = dict(arrays)

    def __getitem__(self, key: str) -> Array:
        return self._arrays[key]

    def __len__(self) -> int:
        return len(self._arrays)

    def shape(self, key: str) -> tuple[int, ...]:
        """(channels, bins, frames) of one clip."""
        return self._arrays[key].shape
