"""Faces in a picture, by OpenCV's cascades: whether it shows exactly one person, large enough to be asked about.

The frontal cascade (alt2) is asked first; the one for profiles, which finds faces where none are, only decides where no
frontal face is found. Both look at the grey picture with its longer side scaled to 640 pixels.
"""

import threading
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from schemas.errors import BadInput
from schemas.records.drop_reasons import Refusal

if TYPE_CHECKING:
    import cv2

SIDE = 640
"""Longer side at which faces are looked for, in pixels."""
LEAST_SIDE = 40
"""Smallest face that is looked for, in pixels of the scaled picture."""
LEAST_SHARE = 0.01
"""Least share of the picture's area that its one face covers."""
INSTALL = "install it: pip install 'ppubench[faces]'"
_FRONTAL, _PROFILE = "haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml"
_LOCK = threading.Lock()
"""A cascade keeps state while it looks."""


def require_detector() -> None:
    """Raise BadInput, with the install line, where OpenCV is not installed or lacks its cascades."""
    try:
        _cascade(_FRONTAL)
    except ImportError as error:
        raise BadInput("[screen] faces", "needs OpenCV, which is not installed", INSTALL) from error


def face_problem(picture: Image.Image, *, least_share: float = LEAST_SHARE) -> Refusal | None:
    """Why a picture does not show exactly one face of at least `least_share` of its area (0 to 1), or None."""
    grey = ImageOps.contain(picture.convert("L"), (SIDE, SIDE))
    values = np.asarray(grey)
    found = _found(values, _FRONTAL)
    kind = "frontal"
    if not found:
        # The cascade knows profiles that look to the left; the mirrored picture gives those that look to the right.
        found = _found(values, _PROFILE) or _found(np.ascontiguousarray(values[:, ::-1]), _PROFILE)
        kind = "profile"
    if not found:
        return Refusal("no_face", "no frontal face and no profile is found in it")
    if len(found) > 1:
        return Refusal("several_faces", f"{len(found)} {kind} faces are found in it")
    share = found[0] / (grey.width * grey.height)
    if share < least_share:
        return Refusal("face_too_small", f"its face covers {100 * share:.1f} % of it, at least {100 * least_share:g} %")
    return None


def _found(values: NDArray[np.uint8], name: str) -> list[int]:
    """Areas of the faces found, in pixels."""
    with _LOCK:
        boxes = _cascade(name).detectMultiScale(
            values, scaleFactor=1.1, minNeighbors=5, minSize=(LEAST_SIDE, LEAST_SIDE)
        )
    return [int(width) * int(height) for _, _, width, height in boxes]


@cache
def _cascade(name: str) -> "cv2.CascadeClassifier":
    import cv2
    import cv2.data

    cv2.setNumThreads(1)
    found = cv2.CascadeClassifier(f"{cv2.data.haarcascades}{name}")
    if found.empty():
        raise BadInput("[screen] faces", f"OpenCV's wheel lacks {name}", "install opencv-python-headless 4.14 or newer")
    return found
