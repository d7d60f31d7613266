"""The Hub's Xet storage, for the laboratory: what hf_xet asks for, answered well, or with one fault."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

from tests.parts.hub_answers import Answer

CAS, TRANSFER = "cas-server.xethub.hf.co", "transfer.xethub.hf.co"
HOSTS = (CAS, TRANSFER)
_CHUNK = 64 * 1024
_LARGE = re.compile(r"/lfs/(?P<digest>[0-9a-f]{64})")


@dataclass
class Storage:
    """What the two hosts do. A status that is not 0 answers every request of that kind."""

    token_status: int = 0  #: of the Hub, where the client asks for the storage's access
    cas_status: int = 0  #: of the server that tells what a file is made of
    data_status: int = 0  #: of the host of the content
    data_is_cut: bool = False
    scheme: str = "http"  #: hf_xet trusts no certificate of a laboratory
    sizes: dict[str, int] = field(default_factory=dict)  #: by the file's name in the storage

    def cuts(self, path: str) -> bool:
        return self.data_is_cut and path.startswith("/xorbs/")

    def announce(self, answer: Answer) -> None:
        """A redirect to a large file also says where it is in Xet."""
        found = _LARGE.search(answer.headers.get("Location", ""))
        if found is None:
            return
        digest = found["digest"]
        self.sizes[digest] = int(answer.headers["X-Linked-Size"])
        answer.headers["X-Xet-Hash"] = digest
        answer.headers["X-Xet-Refresh-Route"] = "https://huggingface.co/api/models/pyannote/segmentation-3.0/xet-read-token/main"

    def answer(self, host: str, path: str, wanted: str | None) -> Answer | None:
        """The answer, or nothing where the request is for the Hub itself."""
        if "/xet-read-token/" in path:
            headers = {
                "X-Xet-Cas-Url": f"{self.scheme}://{CAS}", "X-Xet-Access-Token": "lab", "X-Xet-Token-Expiration": "4102444800",
            }  # fmt: skip
            return self._refused(self.token_status) or Answer(200, b"{}", "application/json", headers)
        if host.startswith(CAS):
            return self._refused(self.cas_status) or self._made_of(path)
        if host.startswith(TRANSFER):
            refused = self._refused(self.data_status)
            return refused or self._content(path, wanted)
        return None

    def _refused(self, status: int) -> Answer | None:
        return Answer(status, b'{"error": "refused"}', "application/json") if status else None

    def _made_of(self, path: str) -> Answer:
        """One block holds all of the file."""
        digest = path.rstrip("/").rpartition("/")[2]
        size = self.sizes.get(digest)
        if size is None or "/reconstructions/" not in path:
            return Answer(404, b"", "application/json")
        block = hashlib.sha256(digest.encode()).hexdigest()
        chunks = -(-size // _CHUNK)
        whole = {"start": 0, "end": chunks}
        there = {
            "range": whole, "url": f"{self.scheme}://{TRANSFER}/xorbs/{digest}",
            "url_range": {"start": 0, "end": len(self._block(size)) - 1},
        }  # fmt: skip
        told: dict[str, object] = {
            "offset_into_first_range": 0,
            "terms": [{"hash": block, "unpacked_length": size, "range": whole}],
            "fetch_info": {block: [there]},
        }
        if path.startswith("/v2/"):
            bytes_of = {"start": 0, "end": len(self._block(size)) - 1}
            told = {
                "offset_into_first_range": 0,
                "terms": told["terms"],
                "xorbs": {block: [{"url": there["url"], "ranges": [{"chunks": whole, "bytes": bytes_of}]}]},
            }
        return Answer(200, json.dumps(told).encode(), "application/json")

    def _content(self, path: str, wanted: str | None) -> Answer:
        content = self._block(self.sizes.get(path.rpartition("/")[2].partition("?")[0], 0))
        return Answer(200 if wanted is None else 206, content, "application/octet-stream")

    @staticmethod
    def _block(size: int) -> bytes:
        """Chunks as they are stored without compression: a head of eight bytes, and the content."""
        parts = []
        for begin in range(0, size, _CHUNK):
            length = min(_CHUNK, size - begin)
            parts.append(b"\0" + length.to_bytes(3, "little") + b"\0" + length.to_bytes(3, "little") + b"\0" * length)
        return b"".join(parts)
