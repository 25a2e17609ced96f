"""What schemathesis needs besides its settings: bodies of the media type of resumable uploads."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def send_bytes(ctx, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}
