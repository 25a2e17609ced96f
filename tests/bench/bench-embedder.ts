// The embedder that is measured: the one that needs no model, unless `MUXI_BENCH_EMBEDDING_MODEL` names another.
import { openEmbedder } from '../../providers/create-embedder.ts'

export const openMeasured = () => openEmbedder({ openai: {} }, process.env['MUXI_BENCH_EMBEDDING_MODEL'] ?? 'local')

export const embedder = await openMeasured()
