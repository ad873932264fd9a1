"""Pictures made small."""

import io

from PIL import Image

COLOURS = 96  # a screenshot or a plot has few


def small(picture: bytes) -> bytes:
    """The same PNG with a palette."""
    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(out, "PNG", optimize=True)
    return out.getvalue()
