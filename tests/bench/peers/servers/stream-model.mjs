// The plainest streaming call of the model, for peers that are engines and bring no model client.
export async function streamModel(messages, onWord) {
  const res = await fetch(`${process.env.MODEL_URL}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'scripted',
      stream: true,
      messages: [{ role: 'system', content: 'You are a test agent.' }, ...messages],
    }),
  })
  let rest = '',
    reply = ''
  for await (const part of res.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + part).split('\n\n')
    rest = events.pop()
    for (const event of events) {
      if (event === 'data: [DONE]') continue
      const word = JSON.parse(event.slice(6)).choices[0]?.delta.content
      if (word) {
        reply += word
        onWord(word)
      }
    }
  }
  return reply
}
