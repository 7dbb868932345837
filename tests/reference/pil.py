"""Preprocesses as torchvision does on PIL images: the reference for the engine's pre-processing."""

from PIL import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILTERS = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR}


def resize_and_crop(image, resize, crop, interpolation):
    """Resizes the shorter side, antialiased, and crops the centre [crop x crop].

    An image of exactly the crop's size is returned unchanged. The longer side is truncated; the
    crop's offset is rounded half to even, as by Python's round()."""
    if image.size == (crop, crop):
        return image
    short = min(image.size)
    size = tuple(resize if side == short else int(resize * side / short) for side in image.size)
    image = image.resize(size, FILTERS[interpolation])
    left, top = (int(round((side - crop) / 2.0)) for side in size)
    return image.crop((left, top, left + crop, top + crop))


def centre(side, crop):
    """Returns the offset of the crop, rounded half to even"""
    return int(round((side - crop) / 2.0))


def squash(image, resize, crop, interpolation):
    """Resizes both sides, whatever the shape, and crops the centre: Hugging Face's size with height
    and width, timm's crop_mode "squash"."""
    if image.size == (crop, crop):
        return image
    image = image.resize((resize, resize), FILTERS[interpolation])
    first = centre(resize, crop)
    return image.crop((first, first, first + crop, first + crop))


def letterbox(image, resize, crop, interpolation, mean=IMAGENET_MEAN):
    """Resizes the longer side, adds borders of the mean colour, and crops the centre: timm's crop_mode
    "border"."""
    if image.size == (crop, crop):
        return image
    ratio = max(image.size) / resize
    image = image.resize([max(round(side / ratio), 1) for side in image.size],
                         FILTERS[interpolation])
    canvas = Image.new("RGB", [max(side, crop) for side in image.size],
                       tuple(round(255 * value) for value in mean))
    canvas.paste(image, tuple(max(crop - side, 0) // 2 for side in image.size))
    left, top = (centre(side, crop) for side in canvas.size)
    return canvas.crop((left, top, left + crop, top + crop))


FITS = {"crop": resize_and_crop, "squash": squash, "letterbox": letterbox}
