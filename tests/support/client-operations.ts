// Which method of the client calls each operation of the API, for the compiler: the types must be those of the document.
import type { Muxi } from '../../client/muxi.ts'
import type {
  ChatRequest,
  Job,
  Receipt,
  Reply,
  StoredFile,
  Transcription,
  TranscriptionOptions,
} from '../../client/types.ts'

/** A request whose body the client makes itself. */
type Sends<Body, Result = Response> = (body: Body) => Promise<Result>
/** A stream that the client follows. */
type Streams = () => Promise<Response>
/** Messages of another protocol, which have types of their own. */
type Another = 'another protocol'
type Form<Fields> = Fields & { file: string }

export interface ClientOperations {
  'GET /healthz': Muxi['system']['health']
  'GET /readyz': Muxi['system']['readiness']
  'GET /metrics': Muxi['system']['metrics']
  'POST /mcp': Another
  'GET /mcp': Streams
  'GET /v1/models': Muxi['openai']['models']
  'GET /v1/models/{model}': Muxi['openai']['model']
  'POST /v1/chat/completions': Muxi['openai']['complete']
  'POST /v1/embeddings': Muxi['openai']['embed']
  'POST /v1/audio/transcriptions': Sends<
    Form<
      Pick<TranscriptionOptions, 'language' | 'response_format'> & { model?: string; user?: string; stream?: string }
    >,
    { text: string } | string
  >
  'POST /v1/audio/speech': Muxi['openai']['speak']
  'GET /api/v1/agents': Muxi['agents']['list']
  'POST /api/v1/agents': Muxi['agents']['create']
  'GET /api/v1/agents/{agent_id}': Muxi['agents']['get']
  'PATCH /api/v1/agents/{agent_id}': Muxi['agents']['update']
  'DELETE /api/v1/agents/{agent_id}': Muxi['agents']['delete']
  'POST /api/v1/agents/import': Muxi['agents']['import']
  'GET /api/v1/agents/{agent_id}/export': Muxi['agents']['export']
  'GET /api/v1/agents/{agent_id}/conversations': Muxi['agents']['exchanges']
  'DELETE /api/v1/agents/{agent_id}/conversations': Muxi['agents']['clearExchanges']
  'POST /api/v1/audio/transcriptions': Sends<
    Form<TranscriptionOptions & { model?: string }>,
    Transcription | string | Job
  >
  'POST /api/v1/audio/speech': Muxi['audio']['speak']
  'POST /api/v1/agents/{agent_id}/chat': (id: string, body: ChatRequest) => Promise<Reply | Receipt>
  'POST /api/v1/agents/{agent_id}/chat/stream': (id: string, body: ChatRequest) => Promise<Response>
  'POST /api/v1/chat': Sends<ChatRequest, Reply | Receipt>
  'POST /api/v1/chat/stream': Sends<ChatRequest>
  'POST /api/v1/agents/{agent_id}/chat/ui': Muxi['ui']['chatWith']
  'POST /api/v1/chat/ui': Muxi['ui']['chat']
  'GET /api/v1/agents/{agent_id}/chat/ui/{chat_id}/stream': Muxi['ui']['resumeWith']
  'GET /api/v1/chat/ui/{chat_id}/stream': Muxi['ui']['resume']
  'GET /api/v1/turns': Muxi['turns']['list']
  'GET /api/v1/turns/{turn_id}': Muxi['turns']['get']
  'GET /api/v1/turns/{turn_id}/stream': Streams
  'POST /api/v1/turns/{turn_id}/cancel': Muxi['turns']['cancel']
  'POST /api/v1/turns/{turn_id}/approvals/{approval_id}': Muxi['approvals']['decide']
  'GET /api/v1/turns/{turn_id}/log': Muxi['turns']['log']
  'GET /api/v1/turns/{turn_id}/log/stream': Streams
  'GET /api/v1/logs': Muxi['logs']['list']
  'GET /api/v1/approvals': Muxi['approvals']['list']
  'GET /api/v1/events': Sends<{ topics?: string }>
  'POST /api/v1/conversations': Muxi['conversations']['create']
  'GET /api/v1/conversations': Muxi['conversations']['list']
  'GET /api/v1/conversations/{conversation_id}': Muxi['conversations']['get']
  'PATCH /api/v1/conversations/{conversation_id}': Muxi['conversations']['update']
  'DELETE /api/v1/conversations/{conversation_id}': Muxi['conversations']['delete']
  'GET /api/v1/conversations/{conversation_id}/messages': Muxi['conversations']['messages']
  'GET /api/v1/conversations/{conversation_id}/export': Muxi['conversations']['export']
  'GET /api/v1/search': Muxi['search']
  'GET /api/v1/agents/{agent_id}/memory': Muxi['memory']['list']
  'DELETE /api/v1/agents/{agent_id}/memory': Muxi['memory']['clear']
  'GET /api/v1/agents/{agent_id}/memory/search': Muxi['memory']['search']
  'POST /api/v1/users/{user_id}/context_memory': Muxi['users']['addContext']
  'GET /api/v1/users/{user_id}/context_memory': Muxi['users']['getContext']
  'PATCH /api/v1/users/{user_id}/context_memory': Muxi['users']['updateContext']
  'DELETE /api/v1/users/{user_id}/context_memory': Muxi['users']['deleteContext']
  'GET /api/v1/users/{user_id}/context_memory/provenance': Muxi['users']['provenance']
  'GET /api/v1/users/{user_id}/export': Muxi['users']['export']
  'DELETE /api/v1/users/{user_id}': Muxi['users']['delete']
  'POST /api/v1/files': Sends<Form<{ user_id?: string }>, StoredFile>
  'GET /api/v1/files': Muxi['files']['list']
  'GET /api/v1/files/{file_id}': Muxi['files']['get']
  'DELETE /api/v1/files/{file_id}': Muxi['files']['delete']
  'GET /api/v1/files/{file_id}/content': Muxi['files']['content']
  'POST /api/v1/files/uploads': Streams
  'GET /api/v1/files/uploads/{upload_id}': Muxi['files']['getUpload']
  'PATCH /api/v1/files/uploads/{upload_id}': (id: string, bytes: string) => Promise<Response>
  'DELETE /api/v1/files/uploads/{upload_id}': Muxi['files']['deleteUpload']
  'POST /api/v1/jobs': Muxi['jobs']['create']
  'GET /api/v1/jobs': Muxi['jobs']['list']
  'GET /api/v1/jobs/{job_id}': Muxi['jobs']['get']
  'GET /api/v1/jobs/{job_id}/stream': Streams
  'GET /api/v1/jobs/{job_id}/text': Muxi['jobs']['text']
  'POST /api/v1/jobs/{job_id}/cancel': Muxi['jobs']['cancel']
  'POST /api/v1/jobs/{job_id}/retry': Muxi['jobs']['retry']
  'GET /api/v1/agents/{agent_id}/knowledge': Muxi['knowledge']['list']
  'POST /api/v1/agents/{agent_id}/knowledge': Muxi['knowledge']['add']
  'DELETE /api/v1/agents/{agent_id}/knowledge/{knowledge_id}': Muxi['knowledge']['remove']
  'GET /api/v1/agents/{agent_id}/knowledge/search': Muxi['knowledge']['search']
  'GET /api/v1/agents/{agent_id}/mcp_servers': Muxi['mcpServers']['list']
  'POST /api/v1/agents/{agent_id}/mcp_servers': Muxi['mcpServers']['add']
  'GET /api/v1/agents/{agent_id}/mcp_servers/{name}': Muxi['mcpServers']['get']
  'DELETE /api/v1/agents/{agent_id}/mcp_servers/{name}': Muxi['mcpServers']['remove']
  'GET /api/v1/keys': Muxi['keys']['list']
  'POST /api/v1/keys': Muxi['keys']['create']
  'GET /api/v1/key': Muxi['keys']['own']
  'POST /api/v1/keys/{key_id}/rotate': Muxi['keys']['rotate']
  'DELETE /api/v1/keys/{key_id}': Muxi['keys']['delete']
  'POST /api/v1/ws/tickets': Muxi['keys']['createTicket']
  'GET /api/v1/audit': Muxi['audit']['list']
  'GET /api/v1/keys/{key_id}/budget': Muxi['budgets']['ofKey']
  'PUT /api/v1/keys/{key_id}/budget': Muxi['budgets']['setOfKey']
  'DELETE /api/v1/keys/{key_id}/budget': Muxi['budgets']['deleteOfKey']
  'GET /api/v1/users/{user_id}/budget': Muxi['budgets']['ofUser']
  'PUT /api/v1/users/{user_id}/budget': Muxi['budgets']['setOfUser']
  'DELETE /api/v1/users/{user_id}/budget': Muxi['budgets']['deleteOfUser']
  'GET /api/v1/usage': Muxi['budgets']['usage']
  'GET /api/v1/system/status': Muxi['system']['status']
  'GET /api/v1/system/usage': Muxi['system']['usage']
}

/** What the document says of an operation; `undefined` where it says nothing, or nothing that is JSON. */
export interface Described {
  query: unknown
  body: unknown
  reply: unknown
}

/** A type in a form in which a field that is optional on one side only makes a difference. */
type Plain<T> = unknown extends T
  ? 'unknown'
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer Item)[]
      ? Plain<Item>[]
      : { [K in keyof T]-?: [Plain<Exclude<T[K], undefined>>, undefined extends T[K] ? 'optional' : 'given'] }
type Same<A, B> = [Plain<A>] extends [Plain<B>] ? ([Plain<B>] extends [Plain<A>] ? true : false) : false

type WithoutIds<Path, Args> = Path extends `${string}{${string}}${infer More}`
  ? Args extends [unknown?, ...infer Rest]
    ? WithoutIds<More, Rest>
    : never
  : Args
type Sent<Path, Method> = Method extends (...args: infer Args) => unknown
  ? WithoutIds<Path, Args> extends [(infer First)?, ...unknown[]]
    ? Exclude<First, undefined>
    : never
  : never
type Received<Method> = Method extends (...args: never) => infer Result ? Awaited<Result> : never

/** `same`, or what differs. */
export type Compared<Path, Op extends Described, Client = ClientOperations> = Path extends keyof Client
  ? Client[Path] extends Another
    ? 'same'
    : Same<
          Sent<Path, Client[Path]>,
          undefined extends Op['query']
            ? undefined extends Op['body']
              ? Sent<Path, Client[Path]>
              : Op['body']
            : Op['query']
        > extends true
      ? undefined extends Op['reply']
        ? 'same'
        : Same<Received<Client[Path]>, Op['reply']> extends true
          ? 'same'
          : 'the reply differs'
      : 'the request differs'
  : 'the client does not have it'
