"""Agents as models for the official OpenAI client: OPENAI_BASE_URL and OPENAI_API_KEY say where muxi is."""

from openai import OpenAI

client = OpenAI()

for model in client.models.list():
    print(model.id)

# The model is the name of an agent; `auto` lets the orchestrator choose one.
question = [{"role": "user", "content": "Will it rain tomorrow?"}]
reply = client.chat.completions.create(model="auto", messages=question)
print(reply.choices[0].message.content)

stream = client.chat.completions.create(model="assistant", messages=question, stream=True)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
print()
