"""Converts RGB photographs to the bytes of camera formats and back: slow, plain numpy in float64.

Formats are named and packed as in GStreamer, without padding. Chroma samples are on the left, as in
H.264: on the even luma columns, and for 4:2:0 half-way between two rows.
"""

import numpy as np

KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
RGB_ORDERS = ("RGB", "BGR", "RGBx", "BGRx", "xRGB", "xBGR")


def scales(video_range):
    """Returns (black, luma's span, chroma's span)."""
    return (0, 255, 255) if video_range == "full" else (16, 219, 224)


def to_ycbcr(rgb, matrix, video_range):
    """uint8 [H, W, 3] -> float64 Y, Cb, Cr [H, W], not rounded."""
    kr, kb = KR_KB[matrix]
    black, luma, chroma = scales(video_range)
    r, g, b = np.moveaxis(rgb / 255, -1, 0)
    y = kr * r + (1 - kr - kb) * g + kb * b
    return (black + luma * y, 128 + chroma * (b - y) / (2 - 2 * kb),
            128 + chroma * (r - y) / (2 - 2 * kr))


def from_ycbcr(y, cb, cr, matrix, video_range):
    """Y, Cb, Cr [H, W] -> uint8 [H, W, 3]."""
    kr, kb = KR_KB[matrix]
    black, luma, chroma = scales(video_range)
    y, cb, cr = (y - black) / luma, (cb - 128) / chroma, (cr - 128) / chroma
    r, b = y + (2 - 2 * kr) * cr, y + (2 - 2 * kb) * cb
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return to_bytes(255 * np.stack([r, g, b], -1))


def to_bytes(values):
    return np.clip(np.rint(values), 0, 255).astype("u1")


def halve_columns(plane):
    """Averages around every even column with weights 1 2 1; edges repeat."""
    wide = np.pad(plane, ((0, 0), (1, 2)), "edge")
    columns = (plane.shape[1] + 1) // 2
    left, centre, right = (wide[:, i:i + 2 * columns:2] for i in range(3))
    return (left + 2 * centre + right) / 4


def halve_rows(plane):
    """Averages each pair of rows; the last of an odd number is kept."""
    tall = np.pad(plane, ((0, 1), (0, 0)), "edge")
    rows = (plane.shape[0] + 1) // 2
    return (tall[0:2 * rows:2] + tall[1:2 * rows:2]) / 2


def sample(plane, positions, axis):
    """Interpolates linearly at positions along an axis; edges repeat."""
    positions = np.clip(positions, 0, plane.shape[axis] - 1)
    low = np.floor(positions).astype(int)
    high = np.minimum(low + 1, plane.shape[axis] - 1)
    part = (positions - low)[:, None] if axis == 0 else positions - low
    return np.take(plane, low, axis) * (1 - part) + np.take(plane, high, axis) * part


def interleave(*columns):
    return np.stack(columns, -1).reshape(columns[0].shape[0], -1)


def encode(rgb, pixel_format, matrix, video_range):
    """uint8 [H, W, 3] -> (bytes as GStreamer packs them, the RGB that they represent: uint8
    [H, W, 3], with chroma interpolated linearly)."""
    height, width, _ = rgb.shape
    if pixel_format in RGB_ORDERS:
        channels = dict(zip("RGBx", (*np.moveaxis(rgb, -1, 0), np.full_like(rgb[..., 0], 77))))
        return np.stack([channels[c] for c in pixel_format], -1).tobytes(), rgb
    y, cb, cr = to_ycbcr(rgb, matrix, video_range)
    y = to_bytes(y)
    if pixel_format == "GRAY8":
        neutral = np.full_like(y, 128)
        return y.tobytes(), from_ycbcr(y, neutral, neutral, matrix, video_range)

    rows_halved = pixel_format not in ("YUY2", "UYVY")
    planes = [halve_columns(plane) for plane in (cb, cr)]
    cb, cr = (to_bytes(halve_rows(plane) if rows_halved else plane) for plane in planes)
    luma = np.pad(y, ((0, 0), (0, width % 2)), "edge")
    parts = {
        "I420": (y, cb, cr), "YV12": (y, cr, cb),
        "NV12": (y, interleave(cb, cr)), "NV21": (y, interleave(cr, cb)),
    }.get(pixel_format)
    if pixel_format == "YUY2":
        parts = (interleave(luma[:, ::2], cb, luma[:, 1::2], cr),)
    elif pixel_format == "UYVY":
        parts = (interleave(cb, luma[:, ::2], cr, luma[:, 1::2]),)

    full = []
    for plane in (cb, cr):
        plane = sample(plane.astype(float), np.arange(width) / 2, 1)
        if rows_halved:
            plane = sample(plane, np.arange(height) / 2 - 0.25, 0)
        full.append(plane)
    return (b"".join(part.tobytes() for part in parts),
            from_ycbcr(y, *full, matrix, video_range))
