// The public interface of the client.
export * from './errors.ts'
export { Http, type Answer, type CallOptions } from './http.ts'
export { type ChatOptions, type ChatReply, Muxi, muxi, type MuxiOptions } from './muxi.ts'
export type { ClientOptions, Fetch, LogEntry } from './options.ts'
export type { List } from './pages.ts'
export type * from './types.ts'
