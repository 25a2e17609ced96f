// The defaults of settings that are numbers, by group.

const MB = 2 ** 20
/** Limits of requests, files, turns and connections. */
export const LIMITS = {
  json_body_bytes: MB,
  chat_body_bytes: 25 * MB,
  content_bytes: 256 * 1024,
  /** Messages, instructions and tools of a request to /v1, without attachments: stored beside its turn. */
  carried_bytes: 2 * MB,
  upload_bytes: 2048 * MB,
  /** All stored files of a user. */
  user_bytes: 20_480 * MB,
  /** Per knowledge folder. */
  knowledge_files: 1_000,
  /** Per document, or per batch of its pages. */
  document_pages: 5_000,
  document_memory_mb: 1_024,
  document_ms: 120_000,
  document_output_bytes: 64 * MB,
  /** Per image, and per recording. */
  image_pixels: 100_000_000,
  image_memory_mb: 1_024,
  image_ms: 60_000,
  audio_seconds: 14_400,
  audio_memory_mb: 512,
  audio_ms: 540_000,
  ws_frame_bytes: 32 * MB,
  attachments: 20,
  turns_per_user: 10,
  turns_per_key: 100,
  /** Concurrent event streams and WebSockets in one process: per key, and in total. */
  streams_per_key: 500,
  streams: 5_000,
  steps_per_turn: 20,
  turn_seconds: 600,
  tokens_per_turn: 1_000_000,
  /** Longest tool result that a model gets; a longer one is stored as a file. */
  tool_output_characters: 50_000,
  /** Per message of an MCP server. */
  mcp_message_bytes: 16 * MB,
}
/** Parameters of workflows and actors; times in milliseconds. */
export const ENGINE = {
  model_stall_ms: 60_000,
  sweep_ms: 30_000,
  /** The sweeper skips a turn that was activated less than this ago: its acceptance may be in progress. */
  sweep_age_ms: 30_000,
  /** Ping interval of an idle MCP server. */
  mcp_ping_ms: 30_000,
}
/** How long what is stored for a time is kept. */
export const RETENTION = {
  event_log_days: 7,
  log_days: 90,
  audit_days: 90,
  history_days: 30,
  orphan_file_days: 7,
  embedding_days: 30,
}

export type Limits = Readonly<typeof LIMITS>
export type EngineSettings = Readonly<typeof ENGINE>
export type Retention = Readonly<typeof RETENTION>
