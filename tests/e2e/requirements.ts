// The guarantees, as data: each e2e test cites the id of the promise it keeps, and a unit test finds ids without a test.

export const REQUIREMENTS = {
  'chat.stream': 'A turn streams numbered events over SSE, and its whole reply is the text after applying them',
  'chat.resume':
    'Last-Event-ID resumes at the next event; an invalid one is 400, one at the end 204, one beyond the head gets the whole text',
  'chat.replay': 'A finished turn is replayed byte for byte',

  'limits.exact': 'A key makes exactly as many requests of a class as it may, over all API processes',
  'limits.wrong-key': 'Wrong keys from one address are counted, and refused beyond a limit',

  'audit.complete': 'Every change and every refusal is in the audit: which key, from where, what, and the outcome',
  'audit.refusals': 'Requests without a valid key are in the audit',

  'openai.models': "OpenAI's clients list the agents as models",
  'openai.chat': 'A chat completion is a turn of the agent that its model names',
  'openai.stream': 'A streamed chat completion is framed byte for byte as OpenAI frames it',
  'openai.hidden': 'The conversation of a chat completion is in no list; it is exported, forgotten and swept',
  'openai.tools': 'Tools of the caller are called by the caller, those of the agent by the server',
  'openai.media': 'Pictures, recordings and files of the messages are attachments of the turn',
  'openai.embeddings': 'Texts become vectors of the configured embedder',
  'openai.audio': 'Recordings become text and text becomes speech',
  'openai.errors': "Every refusal below /v1 has the form of OpenAI's errors",
  'openai.reset': 'Text that is withdrawn ends the stream with an error chunk',
  'openai.parked': 'A chat completion does not wait for a person: an error names the turn, which does',
  'openai.docs': 'The examples in docs/openai.md are run as they are written, and every operation has one',
  'openai.killed': 'Killed processes: the turn of a chat completion ends as any other',
  'docs.api': 'The examples in docs/api.md are run as they are written, and every operation has one',
  'docs.client': 'The examples in docs/client.md are run as they are written',
  'examples.run': 'Every example runs with one command, without a key',

  'ui.chunks': 'The UI message stream is what the schema of the ai package says',
  'ui.reset': 'useChat shows no text twice when a model call is made again',
  'ui.stop': 'useChat that goes away does not stop a turn; a cancel does, and ends its stream',
  'ui.approval': 'useChat approves and denies calls by its next request',
  'ui.regenerate': 'useChat regenerates a reply: there is one afterwards',
  'ui.queued': 'A message of useChat that waits for another turn of its chat says so, as data that is not kept',
  'ui.interrupted': 'A UI message stream that a stopping server gives up ends with an error, and the reply goes on',
  'ui.resume': 'useChat shows the text of a reply once, however often the page is reloaded',

  'client.browser': 'The client works on a page and in a web worker',
  'client.socket': 'Many turns, jobs and changes at once over one socket of the client, which closing ends',
  'client.socket-lost':
    'A socket of the client whose connection or server is lost goes on: each event once, in order, and one turn for a message',
  'client.use-chat': 'useChat with the transport of the client: exact after reloads and resets, and stopped by stop',

  'threads.pages':
    'A page of messages begins anywhere in a conversation, and tells with each message what its turn did',
  'threads.replaces':
    'A message that replaces an earlier one continues the conversation from before it, over REST, SSE and WebSocket',
  'threads.replaces-killed':
    'kill -9 of API and worker while a message is replaced: it is answered once, and what it replaced is told no model',
  'threads.export': 'A conversation is downloaded as Markdown or JSON, with tool calls and approvals',
  'search.messages':
    'A user finds their own messages by words and by meaning, best first, with the part that was found; never those of another user',
  'threads.exchanges': 'What a user and an agent have said to each other is listed over all conversations, and cleared',
  'log.all':
    'The execution log of all turns is listed, filtered and paged; a key that is bound to a user sees that of the user',
  'log.live': 'The execution log is followed: each entry as it is, then each change, then an end',

  'feed.changes': 'Changes of lists are told within a second, from any process, each item in the form of its list',
  'feed.owner': 'A key is told what it may read: the topics of its scopes, and the rows of its user',
  'feed.revoked': 'A feed ends with its key',

  'routing.chosen': 'A message to no agent is answered by the one that the model chose, told with its confidence',
  'routing.cached': 'The same message is routed without a model, until agents change',
  'routing.failed':
    'When the model fails or names no agent, the nearest description decides; unsure, the default agent',
  'routing.killed': 'kill -9 of a worker while the model chooses: another one chooses, and the turn ends once',
  'routing.cancelled': 'Cancel while the model chooses: cancelled, and the request is closed',

  'budgets.acceptance':
    'A message over the daily budget of its key or its user is refused with 429 budget_exceeded: which limit, what is spent, when it begins again',
  'budgets.mid-turn': 'A budget that is used up within a turn ends it as failed, its text so far kept',
  'budgets.parallel': 'Of ten messages at once a budget that has room for one lets one through',
  'budgets.hidden': 'Calls that no client sees are booked to the key and the user of the turn',
  'budgets.memory': 'Messages are remembered over the budget too',
  'budgets.usage': 'Tokens and cost of model calls are told by day, user, agent, model and key',
  'budgets.job': 'A job whose model call is over the budget fails with budget_exceeded',

  'worker-killed.other-worker':
    'kill -9 of a worker while a reply streams: withdrawn, re-emitted in full, next token within 10 s with another worker running',
  'worker-killed.supervised': 'kill -9 of the process in role all: the supervisor restarts it, next token within 25 s',
  'worker-killed.tool':
    'kill -9 of a worker during a tool call: an idempotent tool runs again, any other has an unknown outcome and ran once',
  'worker-killed.finished-step':
    'kill -9 of a worker after a finished step: neither the model call nor the tool call of that step runs again',
  'client.exactly-once': 'The client gives each event of a turn once, in order, whatever breaks on the way',
  'client.one-turn': 'A message of the client makes one turn, wherever its request or answer is cut',
  'client.two-ways-out': 'The client leaves a turn running when it stops reading, and ends it by a cancel',
  'client.reducer': "The client's message of a turn is that of its record",

  'api-killed.turn-goes-on': 'kill -9 of the API while a reply streams: the turn finishes',
  'api-killed.resume':
    'A client that reconnects after that gets every later event exactly once: its bytes are those of the log',
  'api-killed.between-row-and-start':
    'kill -9 of the API between the row and the start of its workflow: the turn reaches a final state, and its message may be sent again',
  'all-killed.mid-stream': 'kill -9 of all processes mid-stream: the next start continues the turn',
  'all-killed.before-first-event':
    'kill -9 of all processes between acceptance and the first token: the next start answers',

  'conversation.order': 'Many messages into one conversation: none lost, none duplicated, order preserved',
  'queue.killed':
    'Messages into several conversations while API, worker, both and Temporal are killed: each ends once, in order, none is left waiting',
  'queue.next-started':
    'kill -9 between the end of a turn and the start of the next one: it runs within 10 s of the restart',
  'queue.terminated': 'A turn whose workflow is terminated fails, and the next one runs within 60 s',
  'queue.parked': 'Messages wait behind a turn that waits for an approval, over a restart of everything',
  'queue.lost-cancel': 'A cancel or an interrupt that never reached Temporal is completed',
  'queue.temporal-away':
    'Without Temporal an idle conversation answers 503; a busy one takes the message and tells its position',
  'head-start.killed': 'kill -9 during a head start: the message can be sent again and is answered once',
  'head-start.refused': 'A head start whose turn could not be started ends',
  'head-start.other-worker': 'A head start whose turn another worker took writes nothing and ends',
  'head-start.stopped': 'A cancelled turn ends its head start',
  'head-start.provider-fails': 'A head start that fails counts as the first attempt',
  'turns.indexed': 'No statement of a turn reads a table as a whole that grows with use',
  'memory.turns': 'A turn that is over leaves nothing in the memory of the processes that ran it',
  'memory.killed': 'kill -9 between the end of a turn and the writing of its memory: it is written once, by any worker',
  'memory.local-model':
    'With an embedding model on this machine, what was said in other words is found without a key and without a network',
  'memory.swept': 'The writing of memory that was never started is started by the sweeper',
  'memory.log': 'The execution log lists what a turn recalled, and what was remembered of it',
  'memory.routes': 'Memories and context memory are read and changed over the API, by their own user only',
  'reembed.serves':
    'After a change of the embedding model the former one serves, says so, and new vectors are made by a job',
  'reembed.killed':
    'A worker killed while everything is embedded again: the job goes on, nothing is asked for twice, nothing is missing',
  'reembed.ends': 'A job that embeds everything again is cancelled or fails: the former model serves; a retry goes on',
  'reembed.words': 'When the model of the index cannot be asked, searches find by words and say so',
  'memory.forgotten': 'Forgetting a user removes rows, memories, files and the histories of the engine',
  'head-start.counted': 'Every request of the model has one usage row, and head starts do not double requests',
  'turn.eleven-events': 'A turn of one step has exactly 11 events in its workflow history: one workflow, one activity',

  'on-busy.queue': 'Two messages at once under queue: both answered, in order',
  'on-busy.reject': 'Two messages at once under reject: one answered, one conflict that leaves nothing behind',
  'on-busy.interrupt':
    'Two messages at once under interrupt: the first is cancelled, its text kept, and the second answered',
  'idempotency.acceptance': 'An Idempotency-Key repeated at any step of acceptance runs one turn at most',
  'idempotency.same-body': 'The same Idempotency-Key with the same body gives the same turn, also concurrently',
  'idempotency.files': 'The same Idempotency-Key with the same body gives the same file and the same job',
  'idempotency.other-body': 'The same Idempotency-Key with another body is a conflict',

  'model.429': 'Retry-After of a 429 becomes the next delay',
  'model.500': '500 twice: asked again, answered',
  'model.hangs': 'A model that falls silent is given up and asked again',
  'model.breaks': 'A connection that breaks mid-stream: the text is withdrawn and re-emitted',
  'model.no-finish':
    'An answer without a finish reason counts if its stream ended whole; one of reasoning or half a call is asked for again',
  'model.bad-arguments': 'Broken JSON in tool arguments goes back to the model, a bounded number of times',
  'model.finish': 'A reply that was cut says why: in message_end and in the log',
  'model.many-calls': 'One step makes at most 16 calls, and every other one is answered to the model',
  'model.reasoning': 'Reasoning is kept apart from the reply and given back where the server wants it',
  'model.cut-call': 'A tool call that was cut is not made, and the model is told why',
  'model.401': '401 is final: upstream_error names provider and status, the key is shown nowhere',
  'model.circuit': 'A model that has failed five times in a row is not asked for a while where there is another one',
  'model.fallback': 'When the policy is used up, the next model of the chain answers',

  'cancel.before-first-token': 'Cancel before the first token: cancelled, the call to the model is closed',
  'cancel.mid-stream': 'Cancel mid-stream: cancelled, the text so far kept',
  'cancel.tool-call': 'Cancel during a tool call: the tool is notified, the turn is cancelled',
  'cancel.queued': 'Cancel while queued: cancelled without a model call, the others go on',
  'cancel.second-client': 'Cancel from a second client on a resumed stream: both see the end',
  'cancel.at-once': 'Cancel in the very moment of acceptance: cancelled at once, never lost',
  'cancel.race': 'A cancel that races the end of a turn: never a success for a turn that stays completed',
  'cancel.finished': 'Cancel of a finished turn is a conflict',

  'refuse.types': 'Wrong types and unknown keys are a bad_request that names the path, on every route',
  'refuse.bodies': 'Huge bodies, bad UTF-8, bad JSON and other content types are refused, each in its own words',
  'refuse.methods': 'A wrong method is 405 with Allow',
  'refuse.keys': 'A missing or wrong key is 401, a wrong scope 403, on every route',
  'refuse.owners': 'An id of another user is 404 on every route that takes one; naming another user is 403',
  'refuse.origins': 'A foreign Host or Origin is refused',
  'refuse.frames':
    'Malformed WebSocket frames get an error and the socket stays open; over the limit 1009, wrong key 4401',

  'fuzz.requests':
    'Requests that schemathesis generates from the OpenAPI document, one by one and in sequences, get only what is documented, and never a 5xx of ours',
  'fuzz.frames':
    'Generated WebSocket frames: every malformed one gets an error, valid requests are answered, the process lives',

  'secrets.credentials': 'No configured credential in any payload, log or row',
  'secrets.words': "No person's words in Temporal or in the log",
  'keys.configured': 'A key of the settings works, also after a restart',

  'ws.chat': 'Chat over WebSocket: the same events with the same ids as over SSE',
  'ws.resume': 'Resume over WebSocket goes on after an event',
  'ws.ids': 'A stream has its id alone: another request for one is refused under no id, and the stream goes on',
  'ws.cancel': 'Cancel over WebSocket',
  'ws.ping': 'Ping is answered, and a server that goes down closes with 1012',
  'ws.subscribe': 'Changes of lists come over the WebSocket, as over SSE',
  'ws.attachments': 'Attachments come with a message over the WebSocket, inline or by the id of a file',
  'ws.audio': 'Audio frames are refused by name until there is live audio, and the socket stays open',
  'ws.slow': 'A reader that stops reading costs little memory, is closed with 1013 and can resume',
  'ws.bulk': 'A reader that reads gets megabytes at once without being taken for a slow one',
  'ws.restart': 'Clients of a server that is restarted reconnect, resume, and have the text of an undisturbed run',
  'ws.ticket': 'A ticket opens one socket, once',

  'documents.answer': 'A question is answered from an uploaded document, with its name and page',
  'documents.attached': 'A document attached to a message is read inside the turn and known in its conversation only',
  'documents.retry': 'A job can be stopped, leaves nothing half-visible, and goes on from the stage where it was',
  'documents.refused': 'A file that cannot be read is unprocessable, that file alone',
  'documents.limits': 'Reading a document stays within its limits of memory, time and output',
  'documents.owners': 'A file or job of another user is 404 on every route that takes one',
  'documents.knowledge':
    'Sources of knowledge are added, listed, searched, removed, and follow the files that agents name',
  'documents.folder': 'A folder that an agent file names is known with its documents, and followed',
  'documents.agent': 'Knowledge can be given with an agent that is made over the API',
  'documents.tool': 'A model can search the documents in the middle of a turn',
  'documents.fair': "One user's many documents do not keep another's first one waiting",
  'documents.formats':
    'Documents of every format are read, found and cited, uploaded, named by an agent file, or attached to a message',
  'documents.text': 'What was extracted is given as Markdown, as plain text, and in blocks with their places',
  'documents.archives':
    'The files within an archive are read as one document, each by its name; what cannot be read is told of',
  'documents.mails':
    'What is attached to a mail is read as part of it, each file by its name; what cannot be read is told of',
  'documents.scanned': 'A document without readable text says so',
  'documents.ocr': 'A page that is a picture of text is read, wherever its top is, and cited with its page',
  'documents.ocr_pages': 'Every page of a picture is read; pages that were not read are named',
  'documents.ocr_within':
    'Text of pictures within a document is read with its page; pictures that were not read are counted',
  'documents.ocr_killed':
    'kill -9 of the worker in a scan: pages that were read are not read again, and the text is the same',
  'documents.killed':
    'kill -9 of everything during an ingestion: finished page batches are not parsed again, each chunk is found once',

  'documents.again': 'The same bytes with the same options are free; a document that has changed replaces what it was',
  'summaries.parts':
    'A long text is summarized in parts by the models of the agent, and no finished part is paid twice',
  'summaries.offline': 'Without a model a summary is made of sentences by rule, and says so',

  'files.take':
    'Files come as a form or in JSON, are listed, read in part, and refused early when they are too large or too many',
  'files.uploads':
    'Large files are uploaded in parts by any tus client, which goes on at the stored offset after a cut or a kill',
  'edge.tls': 'HTTPS by certificate files, with HSTS, for WebSockets too',
  'edge.proxy': 'Behind a trusted proxy the address of the client counts, and what the client says of it does not',
  'edge.admin': 'What needs the scope admin is refused outside of MUXI_ADMIN_NETWORKS',
  'files.s3': 'API and workers that share nothing but Postgres and a bucket ingest, answer, and lose nothing to a kill',

  'images.ingest': 'Every kind of picture is made upright, small and free of private metadata, described, and found',
  'images.ocr': 'The text in a picture is read and found',
  'images.hostile': 'A picture that is a bomb, lies about what it is, fetches or multiplies itself is refused alone',
  'images.chat': 'A picture attached to a message reaches a model that can see, without private metadata',
  'audio.ingest': 'Every kind of recording is transcribed with times, and found by them',
  'audio.silent': 'A recording without sound, of silence or of nothing says so',
  'audio.nobody': 'Without a transcriber a job says so, keeps the prepared audio, and resumes when retried',
  'audio.killed':
    'kill -9 of the worker in a recording: finished pieces are not transcribed again, and the text is the same',
  'audio.chat': 'A recording attached to a message is transcribed inside the turn',
  'audio.endpoints': 'Speech becomes text and text becomes speech over HTTP, within their limits',

  'postgres.turn': 'On Postgres a turn is streamed, resumed and cancelled at any API, whichever accepted it',
  'postgres.document': 'On Postgres a document uploaded at one API is found and cited at every other',
  'postgres.killed':
    'kill -9 of an API and a worker on Postgres during a turn and an ingestion: both go on, the client elsewhere',

  'faults.temporal':
    'Temporal killed, back after 5 s: 503 with Retry-After meanwhile, nothing accepted is lost, nothing is told twice',
  'faults.postgres': 'Postgres killed while a reply streams: 503 with Retry-After meanwhile, nothing accepted is lost',

  'mcp.call':
    'A tool of an MCP server is offered, called, and its name and server are told; its credential is shown nowhere',
  'mcp.arguments': "Arguments that do not fit an MCP tool's schema go back to the model",
  'mcp.progress': 'Progress of an MCP call becomes events',
  'mcp.refused-tool': 'A tool that the model does not take is left out with a warning, and the message is answered',
  'mcp.warnings': 'What is left out of a list of tools is told by the API, also after the list has changed',
  'mcp.tall-picture': 'A tall picture of an MCP tool reaches the model in parts that can be read',
  'mcp.images': 'Pictures in the answer of an MCP tool reach the model',
  'mcp.many': 'Twenty MCP calls at once are each made once',
  'mcp.cancel': 'Cancelling a turn cancels its MCP call at the server',
  'mcp.server-killed': 'kill -9 of an MCP server during a call: outcome unknown or run again, and connected again',
  'mcp.slow': 'A call waits for a server that takes its time to start',
  'mcp.worker-killed':
    'kill -9 of the worker that holds MCP servers: another takes over, nothing finished runs again, no program is left',
  'mcp.paused': 'A worker that slept past its time lets go of the MCP servers that another has taken',
  'mcp.terminated': 'SIGTERM of the worker leaves no program of an MCP server behind',

  'mcp.idle':
    'An MCP server that is a program runs while it is needed: idle is healthy, its tools are offered, a call starts it and says so',
  'mcp.idle.look': 'Looking at an idle MCP server starts it',
  'mcp.idle.slow': 'A call to an idle MCP server waits for a slow start',
  'mcp.idle.fails': 'An MCP server that cannot be started fails its call with the reason; nothing was sent',
  'mcp.idle.worker-killed':
    'kill -9 of the worker with MCP servers that calls have started: no program is left, no call is made twice',
  'mcp.idle.many': 'A hundred idle MCP servers have no process; forty are woken at once',

  'mcp.endpoints':
    'MCP servers of an agent are added, listed, looked at and removed; one that cannot be connected is not kept',
  'mcp.builtin':
    'An MCP server that comes with muxi needs no list of programs, runs on our runtime, and takes its own settings only',
  'mcp.refused':
    'A program needs the admin scope and the list of the operator, a URL must be allowed, a required credential given',
  'mcp.credentials': 'A program has only the environment that was meant for it',
  'mcp.http': 'A lost session of an MCP server over HTTP is replaced, and calls continue',
  'mcp.all-killed':
    'kill -9 of everything: the next start connects the MCP servers again, and no program of the old ones is left',
  'mcp.drift': 'A tool whose description or schema changes is flagged',
  'mcp.long-answer': 'An MCP answer that is too long for the model is kept as a file',
  'mcp.bounded': 'However many tools and however long an answer, limits hold',

  'approvals.restarted': 'A call waits for a person while everything is killed; granted afterwards, it is made once',
  'approvals.time': 'The deadline of a turn is paused while it waits for a person',
  'approvals.denied': 'A call that is denied is not made, and the model is told why',
  'approvals.edited': 'The approver may change arguments; they are checked, and used by the call',
  'approvals.once': 'The first decision counts; every other one is a conflict',
  'approvals.cancelled': 'A turn can be stopped while it waits for a person',
  'approvals.chat': 'A waiting turn answers the synchronous call with 202; it is approved over the WebSocket',
  'approvals.owner': 'What another user is asked is not there',
  'approvals.drift': 'A tool that has changed since it was approved is asked about again',
  'approvals.question': 'A question of an MCP server during a call is answered or declined by the user',
  'approvals.question-lost': 'A question ends with its turn, and with the worker that makes its call',

  'examples.search': 'Without a search service the example agent still reads pages, and says what to set to search',
  'examples.idle': 'A minute after the start of the example agents no MCP server has a process',
  'examples.calculator':
    'Without a key the example agent computes with the calculator, an MCP process of its own, and the log tells how',
  'examples.approval':
    'Without a key a tool call waits for a person while everything is killed, and is made when granted over REST',
  'mcp-out.call':
    "Each agent is a tool of /mcp for the SDK's own client: progress as asked for, and the reply with its turn and conversation",
  'mcp-out.cancel': 'notifications/cancelled, at any process, cancels the turn of a call',
  'mcp-out.resume':
    'A call goes on without its client, at any process: who comes back with Last-Event-ID gets the rest, and nothing runs twice',
  'mcp-out.killed': "kill -9 of the API during a call: the SDK's own client gets the result from the next one",
  'mcp-out.refused':
    'What /mcp refuses: unauthenticated requests, foreign sessions and origins, unknown tools, wrong arguments, each with its own message',
  'mcp-out.changed': 'Clients of /mcp hear that the agents have changed',
  'mcp-out.conformance': 'The server scenarios of the MCP conformance suite that apply pass at /mcp',

  'mcp.sign-in.operator':
    'An MCP server that wants a sign-in before it lists its tools says where an operator signs in',
  'mcp.sign-in.call':
    'A call waits for its user to sign in, whichever processes are restarted meanwhile, and is made once',
  'limits.key': 'A key may have limits of its own',
  'system.usage':
    'Requests, turns, users and tokens are counted over all processes and restarts, by the patterns of routes',
  'system.status': 'The state of a process names its agents, connections and workers',
  'system.metrics':
    'What a process counts and measures is read by Prometheus with a key of the scope read; labels name no user, key, conversation or path',
  'agents.change':
    'An agent made over the API is changed by a merge patch; a turn keeps the version that it began with',
  'agents.cached': 'The list of agents has an ETag, and is remembered until anything that it shows has changed',
  'agents.delete':
    'A deleted agent leaves conversations and the log: its turns, servers, secrets and knowledge end with it',
  'agents.files': 'Agents are exported as files without secrets, and imported by content or by path',
  'agents.id-again': 'An agent defined by a file has nothing of a deleted agent whose id it takes',
  'agents.ask':
    'An agent asks another as a tool: a turn of its own in a hidden conversation, whose answer is the result',
  'agents.usage': 'The usage of a turn includes that of the turns below it, and its log names them',
  'agents.hidden': 'The conversations in which agents answer each other are in no list, export or statistic',
  'agents.depth': 'Agents ask each other a bounded number of levels deep, and the model is told where that ends',
  'agents.parallel': 'Agents that are asked in one step answer in parallel, beside other tools',
  'agents.fails': 'The failure of an agent that is asked is an error result, and the turn goes on',
  'agents.cancel': 'Cancelling a turn stops the turns below it at any depth; one below can be cancelled alone',
  'agents.approval': 'What turns below wait for is shown, listed and decided at the root, which waits meanwhile',
  'agents.worker-killed': 'Whatever is killed while an agent is asked, it answers once and nothing finished runs twice',
  'agents.deleted': 'What agents asked each other is deleted with the conversation and with the user',
  'agents.handoff': 'A turn that is handed over is answered by the other agent, in the same turn and conversation',
  'agents.handoff-bound': 'A turn is handed over a bounded number of times, and the model is told where that ends',

  'mcp.sign-in.user': 'Each user calls an MCP server with tokens of their own',
  'mcp.sign-in.refresh': 'A token that has ended is renewed once for all calls that want it',
  'mcp.sign-in.more': 'A call that wants more rights asks for a sign-in that gives them',
  'mcp.sign-in.refused':
    'A sign-in that is refused is told to the call; answers that were not asked for count for nothing',
  'mcp.sign-in.secret': 'Tokens, codes and secrets of a sign-in stand in no row, log, history or event',

  'attack.refused':
    'A refused request with a large body is answered, also to a client that reads nothing before it has sent all',
  'attack.rejection':
    'A request with a wrong and a missing attachment is refused, over REST and WebSocket, and ends nothing',
  'attack.faults': 'A body of very many faults is answered with twenty of them, each short',
  'attack.scopes': 'The scope of a key is checked before the body is: a wrong scope learns nothing of it',
  'attack.bounds': 'JSON that is deep, or of very many values, is a bad_request wherever JSON is taken',
  'attack.malformed':
    'Malformed cookies, codec payloads, queries and upgrades are refused or ignored, never a server error',
  'attack.injection': 'SQL, markup, header lines, paths and control sequences come back as the data that they are',
  'attack.ids': 'WebSocket errors carry the id of their request, and a refused upgrade has a body with a request id',
  'attack.event-loop': 'No request blocks the event loop for long, whatever its body',

  'start.ctrl-c': 'One Ctrl-C ends everything that was started, in order',
  'start.fails': 'A process that cannot start ends and says why',
  'start.namespace': 'A namespace that is missing is made, with its retention and search attributes',
  'start.runtime':
    'Whatever is started runs on the runtime that was chosen, Node or Deno; the rest of this list holds on both',
  'start.small': 'The supervisor stays small',

  'ui.words': 'The Temporal UI tells the story of a turn and shows its words to who is signed in',
  'ui.documents': 'The codec endpoint shows the words of documents to their owner only',
  'ui.attempts': 'The Temporal UI shows the attempts of a model call that fails first',
  'ui.closed': 'The Temporal UI and the codec endpoint show nothing to who is not',

  'attack.temporal-ports': 'No port of the Temporal server answers a page whose name was rebound to this machine',
  'attack.temporal-browser': 'A browser refuses the port of the Temporal UI itself',
  'attack.full-disk':
    'A full disk under log and data: 503 with Retry-After, /readyz names it, killed processes are tried again, and all is well when there is room',
  'attack.secret-key':
    'With another secret key the start is refused by the names of what it cannot read; a turn that needs such a credential fails at once',
  'attack.temporal-scopes': 'Reading and ending workflows in the Temporal UI needs the admin scope and our own origin',
  'attack.model-url':
    'A model address given over the API leads to no private network: refused when it is given, and at every call',
  'attack.model-redirect': 'A model server cannot redirect a call to a private address',
  'attack.operator-url': 'Addresses in files and settings of the operator may be private',
  'attack.model-key': 'Nothing from the environment is sent to a model address given over the API',
  'attack.builtin-url': 'A built-in MCP server is told no private address over the API',
  'attack.error-body': 'What an upstream server says of a failure is kept shortened in the log, and shown to no client',
  'attack.keys.streams':
    'Streams and sockets end within 5 s of the deletion, expiry or rotation (past its grace) of their key, in every process',
  'attack.keys.tickets': 'Tickets and sessions are bound to the secret of their key and to its networks',
  'attack.keys.expiry': 'The expiry of a key must be a real time in the future',
  'attack.keys.logs': 'The scope read reads execution logs',
  'attack.streams.limits': 'A key may have so many streams and sockets open, and no more',
  'attack.streams.end': 'A stream that is asked for past its end is 204',
  'attack.session.cookie': 'The session cookie is Secure behind HTTPS',
  'attack.origins': 'Credentialed CORS is for configured origins',
} as const

export type Requirement = keyof typeof REQUIREMENTS

/** The name of a test: the promise it keeps, and what it does in a sentence. */
export function keeps(id: Requirement, sentence: string): string {
  return `[${id}] ${sentence}`
}
