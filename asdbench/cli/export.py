"""``asdbench export``: a detector for programs without asdbench."""

from pathlib import Path
from typing import Annotated

import typer

from asdbench.cli.options import PluginPath
from asdbench.cli.output import command, echo


def export(
    detector: Annotated[Path, typer.Argument(metavar="DETECTOR", help="What fit wrote (.asd).")],
    onnx: Annotated[Path, typer.Option("--onnx", metavar="FILE.onnx", help="The file to write.")],
    machine: Annotated[str | None, typer.Option(metavar="NAME", help="Machine type, where it knows several.")] = None,
    section: Annotated[str | None, typer.Option(metavar="NN", help="Section. [default: the first]")] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="Recordings, or folders of them, to compare on. [default: noise and tones of its own]"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    plugin_path: PluginPath = None,
) -> None:
    """Write a detector as one ONNX model: waveform in, score out, threshold and sampling rate in its metadata.

    The model is written only when it gives the detector's scores. asdbench score takes it, with onnxruntime, numpy,
    scipy and soundfile alone; the documentation has a program that needs no asdbench
    under "Export a detector as an ONNX file".

    Example: asdbench export pump.asd --onnx pump.onnx
    """
    from asdbench.core.errors import UsageError
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
