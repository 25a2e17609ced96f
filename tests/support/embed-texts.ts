// Embeds texts with a model in a folder, on Node or Deno, and prints the vectors.
import { openEmbedder } from '../../providers/create-embedder.ts'

const [place, ...texts] = process.argv.slice(2)
const embedder = await openEmbedder({ openai: {} }, `local-model:${place}`)
const vectors = await embedder.embed(texts, new AbortController().signal)
console.log(`vectors ${JSON.stringify({ model: embedder.model, vectors: vectors.map((vector) => [...vector]) })}`)
await embedder.close?.()
