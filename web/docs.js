// The HTTP API for people: what stands in /openapi.json, without anything from elsewhere.
import { $, make, pretty } from './dom.js'

const METHODS = ['get', 'post', 'patch', 'put', 'delete']

/** What a call takes: the names of its parameters, and its body as a schema. */
function describe({ parameters = [], requestBody }) {
  const rows = parameters.map(({ name, in: place, required, schema = {}, description }) =>
    make(
      'tr',
      {},
      make('td', {}, make('code', {}, name)),
      make('td', {}, place),
      make('td', {}, required ? 'required' : ''),
      make('td', {}, description ?? schema.description ?? schema.pattern ?? schema.type ?? ''),
    ),
  )
  const schema = Object.values(requestBody?.content ?? {})[0]?.schema
  const parts = []
  if (rows.length > 0) parts.push(make('table', {}, make('tbody', {}, ...rows)))
  if (schema) parts.push(make('p', {}, 'Body, as JSON Schema:'), make('pre', { tabIndex: 0 }, pretty(schema)))
  return parts.length > 0 ? parts : [make('p', {}, 'It takes nothing.')]
}

function operationOf(method, path, operation) {
  const title = make('summary', {}, make('code', {}, `${method.toUpperCase()} ${path}`), ` ${operation.summary ?? ''}`)
  return make('details', { className: 'tool' }, title, ...describe(operation))
}

async function show() {
  const response = await fetch('/openapi.json')
  if (!response.ok) throw new Error(`The server answered with status ${response.status}`)
  const { info, paths } = await response.json()
  const groups = new Map()
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of METHODS.filter((each) => operations[each])) {
      const tag = operations[method].tags?.[0] ?? 'system'
      groups.set(tag, [...(groups.get(tag) ?? []), operationOf(method, path, operations[method])])
    }
  }
  $('about').textContent =
    `${info.description}. Version ${info.version}. Each call needs a key: “Authorization: Bearer sk_muxi_…”.`
  $('operations').append(
    ...[...groups].map(([tag, calls]) => make('section', { ariaLabel: tag }, make('h2', {}, tag), ...calls)),
  )
}

show().catch(({ message }) => ($('about').textContent = `The API cannot be shown: ${message}`))
