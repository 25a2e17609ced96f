import { describe, expect, it } from 'vitest'
import { portsOf, serverArguments } from '../../temporal-config/server-arguments.ts'

const args = serverArguments({
  dbFile: '/somewhere/with a space/temporal.db',
  port: 7300,
  uiPort: 8300,
  codecEndpoint: 'http://127.0.0.1:5050/codec',
})

describe('serverArguments()', () => {
  it('names the database file right after the command, where a running server is recognised by it', () => {
    expect(args.slice(0, 4)).toEqual(['server', 'start-dev', '--db-filename', '/somewhere/with a space/temporal.db'])
  })

  it('registers every search attribute as a keyword', () => {
    const attributes = args.filter((_, index) => args[index - 1] === '--search-attribute')
    expect(attributes).toEqual([
      'MuxiKind=Keyword',
      'MuxiAgent=Keyword',
      'MuxiConversation=Keyword',
      'MuxiUser=Keyword',
    ])
  })

  it('gives dynamic configuration as JSON values', () => {
    const values = args.filter((_, index) => args[index - 1] === '--dynamic-config-value')
    expect(values).toHaveLength(12)
    for (const value of values) expect(() => JSON.parse(value.slice(value.indexOf('=') + 1))).not.toThrow()
  })
})

describe('portsOf()', () => {
  it('reads back the ports of a command line', () => {
    expect(portsOf(`/bin/temporal ${args.join(' ')}`)).toEqual({ port: 7300, uiPort: 8300 })
  })

  it('answers nothing for a command line without them', () => {
    expect(portsOf('/bin/temporal server start-dev --db-filename /x')).toBeUndefined()
  })
})
