"""What schemathesis needs besides its settings: bodies of resumable uploads, no tests of headers that are not declared, which any
request may have, and an end of the stream that has none."""

import schemathesis
from schemathesis.transport import requests as transport

read_event_stream = transport.read_event_stream


@schemathesis.serializer("application/offset+octet-stream")
def send_bytes(ctx, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.hook
def filter_case(context, case):
    return "x-schemathesis-unknown-property" not in (case.headers or {})


def until_listening(chunks):
    """The feed of changes begins with this comment, and then waits."""
    for chunk in chunks:
        yield chunk
        if chunk.startswith(b": listening"):
            return


# Reading until a timeout would need a long one on a busy machine, for each request. There is no hook for it in 4.32 (November 2026).
transport.read_event_stream = lambda chunks, *limits: read_event_stream(until_listening(chunks), *limits)
