"""Which things hold no document, told by inode or by name before a byte is read."""

import os

_FAMILIES = {
    "an image": "avif bmp cr2 gif heic heif ico jfif jpeg jpg nef png psd tif tiff webp",
    "a sound recording": "aac flac m4a mp3 oga ogg opus wav wma",
    "a video": "avi flv m4v mkv mov mp4 mpeg mpg webm wmv",
    "an archive or compressed file": "7z deb dmg iso jar lz4 rar rpm whl zst",
    "a program or compiled code": "a class dll dylib exe o pyc pyo so wasm",
    "a font": "eot otf ttf woff woff2",
    "binary data": "arrow feather gguf h5 npy npz onnx parquet pickle pkl safetensors sqlite sqlite3",
}
_ADVICE = {
    "an image": "run OCR over it and ingest the result",
    "an archive or compressed file": "unpack it and ingest the folder",
}
_FAMILY_OF_SUFFIX = {f".{suffix}".encode(): family for family, names in _FAMILIES.items() for suffix in names.split()}


def reason_by_name(name: bytes) -> str | None:
    """Why a file of this name holds no document; None when its content has to tell."""
    suffix = os.path.splitext(name)[1].lower()
    family = _FAMILY_OF_SUFFIX.get(suffix)
    if family is None:
        return None
    advice = _ADVICE.get(family)
    return f"{family} by its name ({suffix.decode()}) holds no text" + (f"; {advice}" if advice else "")


def reason_by_link(path: bytes, *, root: bytes) -> str:
    """Why a symbolic link found under `root` is not followed."""
    if not os.path.exists(path):
        return "a symbolic link to nothing, to itself or to something that cannot be reached; mend it or remove it"
    target, real_root = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([target, real_root]) == real_root:
        return "a symbolic link inside the folder; its target is taken under its own path"
    return "a symbolic link out of the folder; name its target as a SOURCE to ingest it"
