// The reader of streams, loaded with the first stream: what only sends requests does without it.
import type { StreamEvent } from './event-stream.ts'
import type { FollowOptions } from './follow.ts'

export async function* follow(options: FollowOptions): AsyncGenerator<StreamEvent, void, undefined> {
  yield* (await import('./follow.ts')).follow(options)
}
