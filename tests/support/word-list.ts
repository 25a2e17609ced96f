// Phrases to avoid in comments, strings and documents, with the standard term for each.

/** A phrase as a case-insensitive regular expression of whole words, and what to write instead. */
const PHRASES: readonly [phrase: string, suggestion: string][] = [
  ['nobody|anybody|somebody|everybody|whoever', 'name the caller: the client, a user, another worker; or: unused'],
  ['breathes?', 'yield to the event loop'],
  ['stands? still', 'is paused'],
  ['anew|said again|(tells?|told) (it )?again', 'again; restarted; re-emitted'],
  ['in a circle', 'deadlock; cycle'],
  ['in the hands? of|in hand', 'owned by; running'],
  ['without a word', 'exits without a result'],
  ['(is|are|was|were) gone', 'has exited; was deleted; is closed'],
  ['(does|do) not mind|has no objection', 'is ignored'],
  ['strangers?', 'untrusted'],
  ['goodbye', 'closing handshake'],
  ['(none|one|each|all|server|servers) of ours', "muxi's; built-in"],
  ['gone astray', 'misplaced'],
  ['for ever', 'forever; without a limit'],
  ['(in|at) one go', 'in one call; at once'],
  ['under way', 'running; in progress'],
  ['at work', 'busy; running'],
  ['asleep', 'suspended'],
  ['looks? at itself|has a look', 'reads; checks'],
  ['gives? way', 'is evicted; yields'],
  ['lives on', 'stays valid; survives'],
  ['hears? of', 'gets; is notified of'],
  ['side by side', 'in parallel; concurrently'],
  ['came to its end|comes? to its end', 'ended'],
  ['its word that', 'heartbeat; confirmation'],
  ['for good', 'permanently; final'],
  ['now and then', 'at intervals'],
  ['as ever', 'as before'],
  ['(could|can|cannot) (not )?be said', 'be expressed'],
  ['(is|are) of (no )?use', 'is needed; is ignored'],
  ['to the brim', 'up to the limit'],
  ['sees? to it|sees to', 'ensures; starts'],
  ['tells? of', 'reports; lists; shows'],
  ['what became of|what (came|comes) of', 'the outcome of'],
]
const PATTERNS = PHRASES.map(([phrase, suggestion]) => [new RegExp(`\\b(?:${phrase})\\b`, 'gi'), suggestion] as const)

/** Comments and strings of TypeScript and JavaScript; strings of one word may be names. */
const PROSE = /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g

export interface Hit {
  /** From 1. */
  line: number
  phrase: string
  suggestion: string
}

/** The phrases of the list in a text. @param isCode whether only comments and strings are checked */
export function findPhrases(text: string, isCode: boolean): Hit[] {
  const parts = isCode ? proseOf(text) : [[0, text] as const]
  const hits = parts.flatMap(([start, part]) =>
    PATTERNS.flatMap(([pattern, suggestion]) =>
      [...part.matchAll(pattern)].map((match) => {
        const line = text.slice(0, start + match.index).split('\n').length
        return { line, phrase: match[0], suggestion }
      }),
    ),
  )
  return hits.toSorted((a, b) => a.line - b.line)
}

function proseOf(code: string): (readonly [start: number, text: string])[] {
  const parts = [...code.matchAll(PROSE)].map((part) => [part.index, part[0]] as const)
  return parts.filter(([, part]) => part.startsWith('/') || part.trim().includes(' '))
}
