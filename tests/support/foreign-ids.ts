// Every request of an OpenAPI document that can name something of a user, with another user's in its place.

interface Schema {
  $ref?: string
  const?: unknown
  examples?: object[]
  enum?: unknown[]
  pattern?: string
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  type?: string
}

interface Parameter {
  name: string
  in: string
  required?: boolean
  schema: Schema
}

interface Operation {
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
}

export interface ApiDocument {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

/** Ids by the name of a path parameter, the prefix of ids, and `user_id`. */
export type Ids = Readonly<Record<string, string>>

export interface ForeignRequest {
  method: string
  path: string
  /** Where the id of the other user is, such as `path turn_id`. */
  place: string
  /** Names the other user, in a query or a body. */
  namesUser: boolean
  body?: unknown
  form?: boolean
}

/** The prefix of ids that the pattern of a schema requires. */
const PREFIX = /^\^([a-z]+)_\[A-Za-z0-9\]/

/**
 * @param own ids of the caller for everything else that a request names
 * @param shared path parameters that name nothing of a user, with a value
 * @throws for a path parameter or a kind of id that is neither owned nor shared
 */
export function foreignRequests(document: ApiDocument, foreign: Ids, own: Ids, shared: Ids): ForeignRequest[] {
  const requests: ForeignRequest[] = []

  const resolve = (schema: Schema): Schema =>
    schema.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1)!]!

  /** The other user's value for a field; undefined when it is no user's. */
  const foreignFor = (name: string, schema: Schema): string | undefined => {
    // `user` is OpenAI's name of it.
    if (name === 'user_id' || name === 'user') return foreign['user_id']
    const prefix = PREFIX.exec(schema.pattern ?? '')?.[1]
    if (prefix === undefined || prefix in shared) return undefined
    if (foreign[prefix] === undefined) throw new Error(`'${prefix}_…' must be known as owned or shared`)
    return foreign[prefix]
  }

  const sample = (reference: Schema): unknown => {
    const schema = resolve(reference)
    if (schema.properties) return sampleRequired(schema)
    const first = schema.const ?? schema.enum?.[0] ?? schema.examples?.[0]
    if (first !== undefined) return first
    if (schema.anyOf?.[0]) return sample(schema.anyOf[0])
    if (schema.type === 'array') return schema.items ? [sample(schema.items)] : []
    return { integer: 1, number: 1, boolean: true, object: {} }[schema.type ?? ''] ?? 'text'
  }
  /** The example, or what is required; what is named as a shared parameter is that. */
  const sampleRequired = ({ properties = {}, required = [], examples: [example] = [] }: Schema) => {
    const fields = example ?? Object.fromEntries(required.map((name) => [name, sample(properties[name]!)]))
    return Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'string' ? (shared[name] ?? value) : value,
      ]),
    )
  }

  /** Values of a schema with the other user's id in one place each. */
  function* variants(name: string, reference: Schema, depth = 0): Generator<{ place: string; value: unknown }> {
    const schema = resolve(reference)
    if (depth > 8) return
    const id = foreignFor(name, schema)
    if (id !== undefined) return yield { place: name, value: id }
    for (const each of schema.anyOf ?? []) yield* variants(name, each, depth + 1)
    for (const [key, property] of Object.entries(schema.properties ?? {}))
      for (const { place, value } of variants(key, property, depth + 1))
        yield { place: name === '' ? place : `${name}.${place}`, value: { ...sampleRequired(schema), [key]: value } }
    if (schema.items)
      for (const { place, value } of variants(name, schema.items, depth + 1)) yield { place, value: [value] }
  }

  for (const [template, methods] of Object.entries(document.paths)) {
    if (!/^\/(api\/v1|v1)\//.test(template)) continue
    for (const [method, { parameters = [], requestBody }] of Object.entries(methods)) {
      const inPath = parameters.filter((each) => each.in === 'path').map(({ name }) => name)
      for (const name of inPath)
        if (!(name in foreign) && !(name in shared))
          throw new Error(`'${name}' of ${template} must be known as owned or shared`)
      const filled = (owned?: string) =>
        template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
          encodeURIComponent((name === owned ? foreign[name] : (own[name] ?? shared[name])) ?? ''),
        )
      const content = Object.entries(requestBody?.content ?? {})
      const json = content.find(([type]) => type === 'application/json')?.[1]
      const needed = parameters.filter((each) => each.in === 'query' && each.required)
      const query = (more: Record<string, string> = {}) => {
        const values = {
          ...Object.fromEntries(needed.map(({ name, schema }) => [name, String(sample(schema))])),
          ...more,
        }
        return Object.keys(values).length === 0 ? '' : `?${new URLSearchParams(values)}`
      }
      const common = { method: method.toUpperCase(), namesUser: false, ...(json && { body: sample(json.schema) }) }
      for (const name of inPath.filter((each) => each in foreign))
        requests.push({ ...common, path: filled(name) + query(), place: `path ${name}` })
      for (const { name, schema } of parameters.filter((each) => each.in === 'query')) {
        const id = foreignFor(name, schema)
        if (id !== undefined)
          requests.push({
            ...common,
            path: filled() + query({ [name]: id }),
            place: `query ${name}`,
            namesUser: name === 'user_id',
          })
      }
      for (const [type, { schema }] of content)
        for (const { place, value } of variants('', schema))
          requests.push({
            ...common,
            path: filled() + query(),
            place: `body ${place}`,
            namesUser: /\buser(_id)?$/.test(place),
            body: value,
            ...(type.startsWith('multipart/') && { form: true }),
          })
    }
  }
  return requests
}
