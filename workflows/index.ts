// The workflows that a worker registers, under their names.
export { chatTurn } from './chat-turn.ts'
export { ingestAudio } from './ingest-audio.ts'
export { ingestDocument } from './ingest-document.ts'
export { ingestImage } from './ingest-image.ts'
export { mcpServer } from './mcp-server.ts'
export { reembed } from './reembed.ts'
export { toolCall } from './tool-call.ts'
export { writeMemory } from './write-memory.ts'
