"""``asdbench export``: a detector for programs without asdbench."""

from pathlib import Path
from typing import Annotated

from asdbench.cli.options import OneMachine, PluginPath, Section, argument, flag, option
from asdbench.cli.output import echo
from asdbench.core.commands import command
from asdbench.core.errors import UsageError


def export(
    detector: Annotated[Path, argument("DETECTOR", "What fit wrote (.asd).")],
    onnx: Annotated[Path, option("FILE.onnx", "The file to write.", None, "--onnx")],
    machine: OneMachine = None,
    section: Section = None,
    check: Annotated[
        list[Path] | None,
        option("PATH", "Recordings, or folders of them, to compare on. [default: noise and tones of its own]"),
    ] = None,
    force: Annotated[bool, flag("--force", "Replace a file that is there.")] = False,
    plugin_path: PluginPath = None,
) -> None:
    """Write a detector as one ONNX model: waveform in, score out, threshold and sampling rate in its metadata.

    The model is written only when it gives the detector's scores. asdbench score takes it, with onnxruntime, numpy,
    scipy and soundfile alone; the documentation has a program that needs no asdbench
    under "Export a detector as an ONNX file".

    Example: asdbench export pump.asd --onnx pump.onnx
    """
    from asdbench.detector.detector import Detector
    from asdbench.detector.exporting import export_onnx

    if onnx.suffix.lower() != ".onnx":
        raise UsageError(f"--onnx {onnx}: asdbench score knows models by their ending. Give a name that ends in .onnx.")
    if onnx.is_dir() or (onnx.exists() and not force):
        raise UsageError(f"--onnx {onnx}: it is there already, and nothing is replaced. Another name, or --force.")
    opened = Detector.load(detector, plugin_path=plugin_path or (), device="cpu")
    difference = export_onnx(opened, onnx, machine, section, check or ())
    echo(
        f"{onnx}  {onnx.stat().st_size / 1e6:.1f} MB, gives the detector's scores (largest difference {difference:.1g})"
    )
    echo(f"Next: {command('score', str(onnx), 'RECORDINGS')}", dim=True)
