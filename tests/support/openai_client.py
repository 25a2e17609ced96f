"""What the official client for Python is relied on for, besides the examples of docs/openai.md: any failed assertion ends it with 1."""

import os
import sys

import openai
from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(max_retries=0)
user = {"role": "user", "content": "Where does the ferry go?"}


class Trip(BaseModel):
    harbour: str


assert [model.id for model in client.models.list()][0] == "auto"

parsed = client.chat.completions.parse(model="assistant", messages=[user], response_format=Trip)
assert parsed.choices[0].message.parsed == Trip(harbour="Horta"), parsed

with client.chat.completions.stream(
    model="assistant", messages=[{"role": "user", "content": "Say hello."}], stream_options={"include_usage": True}
) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_completion()
assert "content.delta" in kinds and final.choices[0].message.content == "Hello.", kinds
assert final.usage.total_tokens == final.usage.prompt_tokens + final.usage.completion_tokens


def raised(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


wrong = raised(openai.AuthenticationError, lambda: OpenAI(api_key="sk_muxi_wrong", max_retries=0).models.list())
assert wrong.code == "invalid_api_key" and wrong.request_id.startswith("req_"), wrong
missing = raised(openai.NotFoundError, lambda: client.chat.completions.create(model="nobody", messages=[user]))
assert (missing.code, missing.param) == ("model_not_found", "model"), missing
bad = raised(openai.BadRequestError, lambda: client.chat.completions.create(model="assistant", messages=[user], n=2))
assert bad.param == "n", bad
broken = raised(
    openai.APIError,
    lambda: list(client.chat.completions.create(model="assistant", messages=[{"role": "user", "content": "Fail."}], stream=True)),
)
assert broken.body["turn_id"].startswith("turn_"), broken.body

vectors = client.embeddings.create(model="any", input=["a boat", "a ship"])
assert [len(each.embedding) for each in vectors.data] == [384, 384]

with open("talk.wav", "rb") as recording:
    assert "A gull cried" in client.audio.transcriptions.create(model="whisper-1", file=recording).text
with open("talk.wav", "rb") as recording:
    events = list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording, stream=True))
assert [event.type for event in events][-1] == "transcript.text.done" and "A gull cried" in events[-1].text, events
with open("talk.wav", "rb") as recording:
    timed = client.audio.transcriptions.create(
        model="whisper-1",
        file=recording,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
assert timed.segments, timed
if os.environ.get("CAN_SPEAK"):
    for voice in ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse"):
        with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice=voice, input="Nine.", response_format="wav"
        ) as spoken:
            assert spoken.read()[:4] == b"RIFF", voice

sys.stdout.write("all held\n")
