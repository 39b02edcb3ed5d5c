"""Colour profiles (ICC) of pictures that become RGB: kept where they describe RGB values, else converted to sRGB."""

import io
from dataclasses import dataclass

from PIL import Image, ImageCms

from curation.images.decoding import eight_bits, to_rgb

_GREY = frozenset({"1", "L", "LA", "La"})


@dataclass(frozen=True)
class Coloured:
    """An RGB picture with what its values mean."""

    image: Image.Image
    profile: bytes | None
    """None: sRGB, or nothing is known."""
    converted: bool
    """The values were converted to sRGB by the file's own profile."""


def in_rgb(image: Image.Image) -> Coloured:
    """The picture as `to_rgb` shows it, with its colours kept.

    A profile of RGB values stays with the picture. Grey and CMYK values are converted by a profile of their kind. A
    profile of another kind than the pixels is left out, as is an unreadable one of CMYK values; of others it stays, as
    it would in the file itself.
    """
    profile = image.info.get("icc_profile") or None
    space = _space(profile) if profile else ""
    if profile is None or space == "RGB" or (not space and image.mode != "CMYK"):
        return Coloured(to_rgb(image), profile, converted=False)
    try:
        if space == "CMYK" and image.mode == "CMYK":
            return Coloured(_converted(image, profile), None, converted=True)
        if space == "GRAY" and (image.mode in _GREY or image.mode.startswith("I")):
            return Coloured(_over_white(image, profile), None, converted=True)
    except ImageCms.PyCMSError:
        pass  # A profile that says its kind and no more is no profile: the values are shown as they are.
    return Coloured(to_rgb(image), None, converted=False)


def _space(profile: bytes) -> str:
    """The kind of values that a profile describes: RGB, GRAY, CMYK, …; "" if it cannot be read."""
    try:
        return str(ImageCms.getOpenProfile(io.BytesIO(profile)).profile.xcolor_space).strip()
    except (ImageCms.PyCMSError, OSError):
        return ""


def _over_white(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode.startswith("I"):
        return _converted(eight_bits(image), profile)
    if image.mode not in ("LA", "La") and "transparency" not in image.info:
        return _converted(image.convert("L"), profile)
    both = image.convert("LA")
    white = Image.new("RGB", both.size, (255, 255, 255))
    white.paste(_converted(both.getchannel("L"), profile), mask=both.getchannel("A"))
    return white


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    """Raises ImageCms.PyCMSError for a profile that cannot be used."""
    source, target = ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    found = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    if found is None:
        raise ImageCms.PyCMSError("nothing was converted")
    return found
