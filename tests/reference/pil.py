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
