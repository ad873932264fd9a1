"""Download a challenge's data: transfer, verify, unpack, record."""

from asdbench.datasets.download.challenge import DownloadedZip, download_challenge

__all__ = ["DownloadedZip", "download_challenge"]
