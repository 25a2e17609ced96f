// TypeScript types of an OpenAPI document, as text: what each operation takes, and its replies in JSON.

interface Schema {
  $ref?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  type?: string
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  patternProperties?: Record<string, Schema>
}
type Content = Record<string, { schema: Schema }>
interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[]
  requestBody?: { content: Content }
  responses: Record<string, { content?: Content }>
}
export interface ApiDocument {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

/** The operations of a document, such as `GET /api/v1/agents`. */
export function operationNames(document: ApiDocument): string[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
}

/** A module with a type for each schema, and an interface `Operations`. */
export function documentTypes({ paths, components }: ApiDocument): string {
  const named = Object.entries(components.schemas).map(([name, schema]) => `export type ${name} = ${typeOf(schema)}`)
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const { query, body, reply } = partsOf(operation)
      return `  '${method.toUpperCase()} ${path}': { query: ${query}; body: ${body}; reply: ${reply} }`
    }),
  )
  return [...named, 'export interface Operations {', ...operations, '}', ''].join('\n')
}

function partsOf({ parameters = [], requestBody, responses }: Operation) {
  const queries = parameters.filter((each) => each.in === 'query')
  const query = queries.map(({ name, required, schema }) => `${name}${required ? '' : '?'}: ${typeOf(schema)}`)
  // An upload may be a form or JSON: the client sends the form.
  const sent = requestBody?.content['multipart/form-data'] ?? Object.values(requestBody?.content ?? {})[0]
  const replies = Object.entries(responses).flatMap(([status, { content = {} }]) =>
    Number(status) < 300
      ? Object.entries(content).map(([type, { schema }]) => (isRead(type) ? typeOf(schema) : ''))
      : [],
  )
  return {
    query: query.length > 0 ? `{ ${query.join('; ')} }` : 'undefined',
    body: sent ? typeOf(sent.schema) : 'undefined',
    reply: replies.length === 0 || replies.includes('') ? 'undefined' : replies.join(' | '),
  }
}

/** Not streams and downloads. */
function isRead(type: string): boolean {
  return /^(application\/(json|yaml)|text\/(plain|markdown|vtt))$/.test(type)
}

function typeOf(schema: Schema): string {
  const { $ref, anyOf, type, items, properties, required = [], patternProperties } = schema
  if ($ref !== undefined) return $ref.split('/').at(-1)!
  if ('const' in schema) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(' | ')
  if (anyOf) return `(${anyOf.map(typeOf).join(' | ')})`
  if (type === 'integer') return 'number'
  if (type === 'array') return `(${typeOf(items ?? {})})[]`
  if (type !== 'object') return type ?? 'unknown'
  if (patternProperties) return `Record<string, ${Object.values(patternProperties).map(typeOf).join(' | ')}>`
  const fields = Object.entries(properties ?? {}).map(
    ([name, each]) => `${JSON.stringify(name)}${required.includes(name) ? '' : '?'}: ${typeOf(each)}`,
  )
  return `{ ${fields.join('; ')} }`
}
