"""The listing's benchmark: a bucket as a source against a bare loop of the same library.

`python -m bench buckets [--keys 100000] [--rounds 3]` lists a stub of the protocol's one operation, which answers from
a process of its own, and prints seconds of processor time of this process, their ratio, and what memory grew by.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qs, urlsplit

PAGE = 1000
BUCKET = "bench"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Benchmark of the listing of a bucket.")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.keys)
        return
    command = [sys.executable, "-m", "bench", "buckets", "--serve", "--keys", str(options.keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lead_to(server.stdout.readline().strip())
        try:
            compare(options.keys, options.rounds)
        finally:
            server.kill()


def lead_to(address: str) -> None:
    """Have the SDK of this process ask there."""
    told = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    os.environ.update(told, AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")


def compare(keys: int, rounds: int) -> None:
    """Both ways in turn, the quickest round of each; memory from the second page to the last."""
    assert len(list(islice(source(), 2 * PAGE))) == 2 * PAGE
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    timed(source, keys)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    best = {name: float("inf") for name in ("bare", "source")}
    for _ in range(rounds):
        for name, listing in (("bare", bare), ("source", source)):
            best[name] = min(best[name], timed(listing, keys))
    print(f"{keys:,} keys: bare loop {best['bare']:.2f} s, source {best['source']:.2f} s of processor time, ratio "
          f"{best['source'] / best['bare']:.2f}; memory grew by {grown / 1024:.1f} MB")  # fmt: skip


def timed(listing: Callable[[], Iterable[object]], keys: int) -> float:
    """Seconds of processor time that it takes to meet every key."""
    began = time.process_time()
    met = sum(1 for _ in listing())
    assert met == keys, met
    return time.process_time() - began


def bare() -> Iterable[object]:
    """What a script would do."""
    import boto3

    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return (entry["Key"] for page in pages for entry in page.get("Contents", ()))


def source() -> Iterable[object]:
    """The items of the source."""
    from embedmill.producers.sources.buckets.source import S3Source
    from embedmill.shared.buckets.names import BucketPlace

    return iter(S3Source(BucketPlace(BUCKET, "")))


def serve(count: int) -> None:
    """Answer ListObjectsV2 from a sorted list of keys; prints the address first."""
    keys = sorted(f"documents/{number % 97:02}/{number:07}.md" for number in range(count))
    handler = type("Handler", (_Handler,), {"keys": keys})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    keys: Sequence[str]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        after = asked.get("continuation-token") or asked.get("start-after") or ""
        first = bisect_right(self.keys, after)
        some = self.keys[first : first + min(PAGE, int(asked.get("max-keys", PAGE)))]
        body = _page(some, is_last=first + len(some) >= len(self.keys)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _page(keys: Sequence[str], *, is_last: bool) -> str:
    entries = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-11-30T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;{hash(key) & 0xFFFFFFFF:032x}&quot;</ETag><Size>1234</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for key in keys
    )
    more = "" if is_last else f"<NextContinuationToken>{keys[-1]}</NextContinuationToken>"
    return (
        f'<?xml version="1.0"?><ListBucketResult xmlns="{NAMESPACE}"><Name>{BUCKET}</Name><KeyCount>{len(keys)}'
        f"</KeyCount><IsTruncated>{str(not is_last).lower()}</IsTruncated>{more}{entries}</ListBucketResult>"
    )
