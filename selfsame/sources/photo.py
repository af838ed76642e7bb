"""One photo: decoded, upright, square, in RGB; or one sentence on why it can't be."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.sources.store import readable

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

INSTEAD = {  # what to do about files that Pillow doesn't read
    ".heic": "convert it to JPEG",
    ".heif": "convert it to JPEG",
    ".raw": "convert it to JPEG",
    ".cr2": "convert it to JPEG",
    ".nef": "convert it to JPEG",
    ".dng": "convert it to JPEG",
    ".svg": "convert it to PNG",
    ".pdf": "save its pages as PNG",
    ".mp4": "save some of its pictures as PNG",
    ".mov": "save some of its pictures as PNG",
    ".dcm": "convert it to PNG",
    ".zip": "unpack it",
}
STILL = ("MPO",)  # formats whose further pictures are previews or other views of the same
TWELVE_BITS = 1 << 12


def read_photo(path: Path, size: int) -> np.ndarray:
    """Decode one photo to (3, size, size) uint8: the shorter side fitted to ``size``, the centre kept.

    What is transparent lies on white. Of a 16-bit image the upper 8 bits count.

    Raises:
        SelfsameError: the file can't be read as one image of 8 or 16 bits.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; what matters is an error
            with Image.open(readable(path)) as image:
                return square_photo(image, size, str(path))
    except SelfsameError:
        raise
    except Exception as error:  # a broken file lets Pillow's parsers raise whatever there is
        reason = str(error) or type(error).__name__
        reason = reason.replace(f"cannot identify image file {str(path)!r}", "no known format of images")
        fix = INSTEAD.get(path.suffix.lower(), "replace the file")
        raise SelfsameError(f"{path}: can't be read as an image: {reason}", f"{fix}, or remove it") from None


def square_photo(image: "Picture", size: int, place: str) -> np.ndarray:
    """Return an opened photo as ``read_photo`` does; errors of Pillow's pass.

    Args:
        place: what a message calls it.
    """
    from PIL import Image, ImageOps

    _refuse_many(place, image)
    image.draft("RGB", (2 * size, 2 * size))  # of a large JPEG not every pixel need be decoded
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        upright = _eight_bits(place, upright)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    square = ImageOps.fit(upright.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def _refuse_many(place: str, image: "Picture") -> None:
    pictures = getattr(image, "n_frames", 1)
    if pictures > 1 and image.format not in STILL:
        raise SelfsameError(
            f"{place}: has {pictures} pictures or pages, and an example is one",
            "save those that you want as images of their own, and remove it",
        )


def _eight_bits(place: str, image: "Picture") -> "Picture":
    """Return a grey image of 16 bits with 8, and refuse what would come out black or white."""
    from PIL import Image

    pixels = np.asarray(image)
    low, high = float(pixels.min()), float(pixels.max())
    if image.mode in ("I", "F"):
        raise SelfsameError(
            f"{place}: its pixels are {'whole' if image.mode == 'I' else 'floating-point'} numbers of 32 "
            f"bits, from {low:g} to {high:g}, and nothing says what is black and what is white",
            "save it with 8 bits",
        )
    if low < high < TWELVE_BITS:
        raise SelfsameError(
            f"{place}: its 16-bit pixels are at most {high:g} of 65535, as of a 12-bit camera: nearly black",
            "save it with 8 bits, or with its values spread over all 16",
        )
    return Image.fromarray((pixels >> 8).astype(np.uint8))
