// Forms of tools that MCP servers list: which schema is offered, and what the operator is warned about.

const NONE = { type: 'object', properties: {} }
const schema = { type: 'object', properties: { q: { type: 'string' } }, required: ['q'] }
export const good = { name: 'good', inputSchema: schema }
let deep: object = {}
for (let level = 0; level < 3_000; level += 1) deep = { items: deep }

/** The form, the schema that is offered (undefined: the tool is left out), and the warning. */
export const TOOL_FORMS: [string, unknown, object | undefined, RegExp?][] = [
  ['schema missing', { name: 't' }, NONE],
  ['schema null', { name: 't', inputSchema: null }, NONE],
  ['schema {}', { name: 't', inputSchema: {} }, NONE],
  ['schema []', { name: 't', inputSchema: [] }, NONE],
  ['schema of a type only', { name: 't', inputSchema: { type: 'object' } }, { type: 'object' }],
  ['schema without a type', { name: 't', inputSchema: { properties: {} } }, NONE],
  ['type null', { name: 't', inputSchema: { type: null } }, { type: 'object' }],
  ['type object or null', { name: 't', inputSchema: { ...schema, type: ['object', 'null'] } }, schema],
  ['properties null', { name: 't', inputSchema: { type: 'object', properties: null } }, NONE],
  ['properties []', { name: 't', inputSchema: { type: 'object', properties: [] } }, NONE],
  ['properties a string', { name: 't', inputSchema: { properties: 'q' } }, NONE, /properties' must be an object/],
  [
    'boolean property schemas',
    { name: 't', inputSchema: { type: 'object', properties: { a: true, b: false } } },
    { type: 'object', properties: { a: true, b: false } },
  ],
  [
    'a property null',
    { name: 't', inputSchema: { type: 'object', properties: { a: null } } },
    { type: 'object', properties: { a: {} } },
  ],
  [
    'a property that is a word',
    { name: 't', inputSchema: { type: 'object', properties: { a: 'string' } } },
    { type: 'object', properties: { a: {} } },
    /'inputSchema.properties.a' must be a schema, got a string/,
  ],
  ['required null', { name: 't', inputSchema: { ...NONE, required: null } }, NONE],
  ['required true', { name: 't', inputSchema: { ...NONE, required: true } }, NONE, /required' must be an array/],
  [
    'required with a number',
    { name: 't', inputSchema: { ...schema, required: ['q', 1] } },
    schema,
    /required' must be an array of names/,
  ],
  ['description null', { name: 't', description: null, inputSchema: schema }, schema],
  [
    'description a number',
    { name: 't', description: 5, inputSchema: schema },
    schema,
    /'description' must be a string/,
  ],
  [
    'all other fields null',
    { name: 't', inputSchema: schema, annotations: null, title: null, _meta: null, icons: null, outputSchema: null },
    schema,
  ],
  ['output schema of another type', { name: 't', inputSchema: schema, outputSchema: { type: 'array' } }, schema],
  ['unknown fields', { name: 't', inputSchema: schema, x: { y: 1 }, execution: 7 }, schema],
  ['annotations []', { name: 't', inputSchema: schema, annotations: [] }, schema],
  ['annotations a string', { name: 't', inputSchema: schema, annotations: 'x' }, schema, /annotations' must be an obj/],
  [
    'a hint that is a word',
    { name: 't', inputSchema: schema, annotations: { readOnlyHint: 'true' } },
    schema,
    /'annotations.readOnlyHint' must be a boolean, got a string/,
  ],
  ['name missing', { inputSchema: schema }, undefined, /tool 1: its 'name' must be a string, got nothing/],
  ['name a number', { name: 7, inputSchema: schema }, undefined, /'name' must be a string, got a number/],
  ['name empty', { name: ' ', inputSchema: schema }, undefined, /'name' must not be empty/],
  ['name with NUL', { name: 'a\0', inputSchema: schema }, undefined, /must be valid text/],
  ['name with half a character', { name: 'a\uD800', inputSchema: schema }, undefined, /must be valid text/],
  ['name too long', { name: 'a'.repeat(600), inputSchema: schema }, undefined, /at most 512 characters/],
  ['name taken by another tool', { name: 'good', inputSchema: {} }, undefined, /must be unique/],
  ['the same tool again', { ...good }, undefined],
  ['schema a string', { name: 't', inputSchema: '{}' }, undefined, /'inputSchema' must be an object, got a string/],
  ['schema true', { name: 't', inputSchema: true }, undefined, /'inputSchema' must be an object, got a boolean/],
  ['schema of a string', { name: 't', inputSchema: { type: 'string' } }, undefined, /must be 'object', got "string"/],
  ['schema too deep', { name: 't', inputSchema: deep }, undefined, /at most 64 levels/],
  ['schema too long', { name: 't', inputSchema: { title: 'x'.repeat(70_000) } }, undefined, /at most 64000 char/],
  ['no object', 'tool', undefined, /tool 1: it must be an object, got a string/],
  ['null', null, undefined, /it must be an object, got null/],
]
