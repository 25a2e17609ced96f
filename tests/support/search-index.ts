// The index with a test's embedders.
import type { Embedder } from '../../providers/embedder.ts'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'
import { SearchIndex } from '../../vectors/search-index.ts'
import type { VectorStore } from '../../vectors/store.ts'

/** @param others those that can be asked besides the configured one */
export function indexOf(
  { vectors }: { vectors: VectorStore },
  configured: Embedder = hashingEmbedder(),
  others: readonly Embedder[] = [],
): SearchIndex {
  return new SearchIndex(vectors, { configured, find: (name) => others.find(({ model }) => model === name) })
}
