"""Pre-processing as torchvision does it on PIL images: the reference for the engine's."""

from PIL import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILTERS = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR}


def resize_and_crop(image, resize, crop, interpolation):
    """Antialiased resize of the shorter side, then the centre crop [crop x crop].

    An image of exactly the crop's size is taken as it is. The long side is truncated; the crop's
    offset is rounded half to even, as Python's round() does."""
    if image.size == (crop, crop):
        return image
    short = min(image.size)
    size = tuple(resize if side == short else int(resize * side / short) for side in image.size)
    image = image.resize(size, FILTERS[interpolation])
    left, top = (int(round((side - crop) / 2.0)) for side in size)
    return image.crop((left, top, left + crop, top + crop))
