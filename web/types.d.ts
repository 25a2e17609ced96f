// Types of the page, for its type check only; the server does not serve them.

/** What an event, a view or an answer of the API holds; its fields are the API's. */
// oxlint-disable-next-line typescript/no-explicit-any -- the page reads answers leniently
export type Data = any

export interface ErrorView {
  code?: string
  message: string
  /** Of the HTTP answer; 0 without one. */
  status?: number
}

/** A frame of the WebSocket. */
export interface Frame {
  type: string
  id: string
  data: Data
}

/** A file of a message. */
export interface Attachment {
  type: string
  name: string
  file_id: string
}

/** What was sent: `conversation_id` is left out by the first message to an agent. */
export interface MessageRequest {
  content: string
  agent_id: string
  conversation_id?: string
  attachments?: Attachment[]
}

/** An event of a turn. */
export interface PageEvent {
  id: number
  type: string
  data: Data
}

/** What the parts of the page use of a turn that is on it. */
export interface PageTurn {
  /** Of its request. */
  id: string
  turn_id?: string
  request: MessageRequest
  /** The number of its last event seen. */
  last: number
  over: boolean
  events: PageEvent[]
  element: HTMLElement
  follow(): void
  stop(): void
  take(type: string, data: Data): void
  refused(error: ErrorView): void
}

/** The elements with an id, in index.html and docs.html. */
export interface PageElements {
  about: HTMLElement
  agent: HTMLSelectElement
  alert: HTMLElement
  'alert-close': HTMLButtonElement
  'alert-text': HTMLElement
  attach: HTMLButtonElement
  'attach-files': HTMLInputElement
  'attach-state': HTMLElement
  attached: HTMLElement
  composer: HTMLFormElement
  content: HTMLTextAreaElement
  conversation: HTMLSelectElement
  earlier: HTMLButtonElement
  empty: HTMLElement
  'event-list': HTMLElement
  events: HTMLElement
  'events-of': HTMLElement
  example: HTMLButtonElement
  forget: HTMLButtonElement
  key: HTMLInputElement
  'key-dialog': HTMLDialogElement
  'key-form': HTMLFormElement
  'key-wrong': HTMLElement
  knowledge: HTMLButtonElement
  'knowledge-dialog': HTMLDialogElement
  'knowledge-of': HTMLElement
  'knowledge-state': HTMLElement
  'knowledge-wrong': HTMLElement
  learn: HTMLButtonElement
  'learn-files': HTMLInputElement
  learning: HTMLElement
  'log-dialog': HTMLDialogElement
  'log-rows': HTMLElement
  'log-totals': HTMLElement
  new: HTMLButtonElement
  'no-sources': HTMLElement
  operations: HTMLElement
  scroll: HTMLElement
  send: HTMLButtonElement
  sources: HTMLElement
  state: HTMLElement
  stop: HTMLButtonElement
  'toggle-events': HTMLButtonElement
  turns: HTMLElement
}

declare global {
  interface Element {
    /** Of the elements in the list of turns. */
    turn?: PageTurn
  }
}
