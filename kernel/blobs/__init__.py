"""The blob store port and its adapters: a directory, or any S3 through ``minio``."""

from kernel.blobs.open import open_blob_store
from kernel.blobs.port import BlobInfo, BlobStore, Multipart

__all__ = ["BlobInfo", "BlobStore", "Multipart", "open_blob_store"]
