// The document of an agent whose model is the scripted one.

/** @param fields in place of the usual ones, or besides them */
export function scriptedAgent(fields: object = {}): object {
  return {
    description: 'Says what a test scripted.',
    system_message: 'You say what the test scripted.',
    model: { provider: 'openai', model: 'gpt-4.1-mini' },
    ...fields,
  }
}
