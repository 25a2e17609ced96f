// The server's side of one WebSocket, as its session uses it: one of the package `ws`, or one in memory.
import type { RawData } from 'ws'

export interface ServerSocket {
  readonly readyState: number
  readonly OPEN: number
  readonly CLOSED: number
  /** Bytes that were sent and not yet taken by the peer. */
  readonly bufferedAmount: number
  readonly isPaused: boolean
  /** Until `resume`, frames of the peer wait. */
  pause(): void
  resume(): void
  /** @param sent is called when the peer has taken the text */
  send(text: string, sent?: () => void): void
  close(code?: number, reason?: string): void
  /** Closes without a handshake. */
  terminate(): void
  on(event: 'close', listener: () => void): unknown
  on(event: 'message', listener: (data: RawData, isBinary: boolean) => void): unknown
}
