"""Open whatever scores recordings: a detector, or a model that was exported from one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def open_detector(path: Path, *, plugin_path: Sequence[Path] = (), device: str = "auto") -> Any:
    """A ``Detector``, or for an .onnx file what scores with onnxruntime, numpy, scipy and soundfile alone.

    Raises:
        RequirementError: there is no such file, it is damaged, or something that it needs is not there.
    """
    if path.suffix.lower() == ".onnx":
        from asdbench.detector.onnx_scoring import OnnxDetector

        return OnnxDetector(path)
    from asdbench.detector.detector import Detector

    return Detector.load(path, plugin_path=plugin_path, device=device)
