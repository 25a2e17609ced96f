// One agent: the operations on it without its name, and its knowledge.
import type { ChatOptions, ChatReply } from './chat.ts'
import type { CallOptions } from './http.ts'
import type { Muxi } from './muxi.ts'
import { segmentOf } from './operations.ts'
import type { Turn } from './turn.ts'
import type { AddedKnowledge, AgentConfig, NewKnowledge } from './types.ts'
import type { FileInput } from './uploads.ts'

/** What an agent is to know: a path of this machine or other bytes, a text, or an uploaded file. */
export type KnowledgeInput = {
  /** Default: made of the name or the description. */
  id?: string | undefined
  description?: string | undefined
} & ({ path: string } | { file: FileInput; name?: string | undefined } | { content: string } | { file_id: string })

export interface KnowledgeOptions extends CallOptions {
  /** Answers at once; `job_id` tells when it can be searched. */
  background?: boolean | undefined
}

/** An agent as it is written in files, where sources may be files of this machine. */
export type AgentInput = Omit<AgentConfig, 'knowledge' | 'description'> & {
  /** Default: the beginning of the system message. */
  description?: string | undefined
  knowledge?: readonly (KnowledgeInput | NewKnowledge)[] | undefined
}

type OfOne<R> = {
  [K in keyof R]: R[K] extends (id: string, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never
}

/** The methods of a resource for one agent. */
function ofOne<R extends object>(name: string, resource: R): OfOne<R> {
  const methods = Object.entries(resource).map(([key, method]) => [key, method.bind(null, name)])
  return Object.fromEntries(methods) as OfOne<R>
}

export class AgentHandle {
  readonly name: string
  readonly #muxi: Muxi
  readonly knowledge: OfOne<Muxi['knowledge']>
  readonly memory: OfOne<Muxi['memory']>
  readonly mcpServers: OfOne<Muxi['mcpServers']>

  constructor(muxi: Muxi, name: string) {
    segmentOf('name', name)
    this.name = name
    this.#muxi = muxi
    this.knowledge = ofOne(name, muxi.knowledge)
    this.memory = ofOne(name, muxi.memory)
    this.mcpServers = ofOne(name, muxi.mcpServers)
  }

  chat(text: string, options: Omit<ChatOptions, 'agentName'> & { stream: true }): Turn
  chat(text: string, options?: Omit<ChatOptions, 'agentName'> & { stream?: false | undefined }): Promise<ChatReply>
  chat(text: string, options?: object): Turn | Promise<ChatReply> {
    return this.#muxi.chat(text, { ...options, agentName: this.name })
  }

  /** Adds a source of knowledge and waits until it can be searched. A path is read here and uploaded. */
  async addKnowledge(source: string | KnowledgeInput, options?: KnowledgeOptions): Promise<AddedKnowledge> {
    return (await import('./agent-files.ts')).addKnowledge(this.#muxi, this.name, source, options)
  }

  /** Alias of `addKnowledge`. */
  add_knowledge(source: string | KnowledgeInput, options?: KnowledgeOptions): Promise<AddedKnowledge> {
    return this.addKnowledge(source, options)
  }
}
