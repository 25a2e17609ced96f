// A Postgres connection that saves round trips and planning: `begin` is sent with the first statement, frequent statements are prepared.
import pg from 'pg'

/** Limit of prepared statements per connection, and the number of uses after which one is prepared. */
const MOST_PREPARED = 300
const WORTH_PREPARING = 5
/** `*` would break when a migration adds a column; the best plan of a search depends on its parameters. */
const UNPREPARED = /\*|<=>|@@|tsquery|^(begin|commit|rollback|savepoint|release|set|start) ?/i

type Answer = pg.QueryResult<pg.QueryResultRow>
type Ended = (error: Error | undefined, result: Answer) => void

/** The parts of pg's internal Query that are used here; its types omit them. */
interface Sent extends pg.Submittable {
  submit(connection: unknown): Error | null
  handleCommandComplete(message: unknown, connection: unknown): void
}
interface Connection {
  stream: { cork(): void; uncork(): void }
  parse(statement: object): void
  bind(portal: object): void
  execute(portal: object): void
}
const Query = pg.Query as unknown as new (config: pg.QueryConfig, callback: Ended) => Sent

/** Sent after a `begin` in one message: when that fails, the server skips this too. */
class FirstOfTransaction extends Query {
  #begun = false

  override submit(connection: unknown): Error | null {
    const wire = connection as Connection
    wire.stream.cork()
    try {
      wire.parse({ text: 'begin', name: '', types: [] })
      wire.bind({ portal: '', statement: '', values: [] })
      wire.execute({ portal: '', rows: 0 })
      return super.submit(connection)
    } finally {
      wire.stream.uncork()
    }
  }

  override handleCommandComplete(message: unknown, connection: unknown): void {
    if (this.#begun) super.handleCommandComplete(message, connection)
    this.#begun = true
  }
}

const NOTHING = { rows: [], rowCount: 0, oid: 0, fields: [] }

export class PostgresClient extends pg.Client {
  #beginning = false

  // oxlint-disable-next-line typescript/no-explicit-any -- it has all the forms of its parent
  override query(...given: any[]): any {
    const [text, values = []] = given as [unknown, unknown[]?]
    if (typeof text !== 'string' || given.length > 2 || !Array.isArray(values)) return this.#send(given)
    if (text === 'begin') {
      this.#beginning = true
      return Promise.resolve({ ...NOTHING, command: 'BEGIN' })
    }
    const first = this.#beginning
    this.#beginning = false
    if (first && (text === 'commit' || text === 'rollback'))
      return Promise.resolve({ ...NOTHING, command: text.toUpperCase() })
    const name = preparedName(text)
    const config = { text, values, ...(name !== undefined && { name }), ...(first && { queryMode: 'extended' }) }
    if (!first) return this.#send([config])
    return new Promise<Answer>((resolve, reject) => {
      this.#send([new FirstOfTransaction(config, (error, result) => (error ? reject(error) : resolve(result)))])
    })
  }

  #send(given: unknown[]): unknown {
    return (super.query as (...given: unknown[]) => unknown).apply(this, given)
  }
}

const seen = new Map<string, number>()
const names = new Map<string, string>()

/**
 * The same name in all connections of this process: statements with varying text are never used often enough to be prepared.
 */
function preparedName(text: string): string | undefined {
  const known = names.get(text)
  if (known !== undefined || names.size >= MOST_PREPARED || UNPREPARED.test(text)) return known
  const times = (seen.get(text) ?? 0) + 1
  if (times < WORTH_PREPARING) {
    if (seen.size >= 10 * MOST_PREPARED) seen.clear()
    seen.set(text, times)
    return undefined
  }
  seen.delete(text)
  const name = `muxi_${names.size + 1}`
  names.set(text, name)
  return name
}
