"""Raw images as pictures inside a page."""

import base64
import io

import numpy as np


def picture(raw: np.ndarray, brightest: int) -> str:
    """Return a (C, H, W) uint8 image as a data URI; the value ``brightest`` becomes white."""
    from PIL import Image

    scaled = (raw.astype(np.float64) * 255 / max(brightest, 1)).clip(0, 255).astype(np.uint8)
    pixels = scaled[0] if len(scaled) != 3 else scaled.transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
