// Arguments of the Temporal dev server: its database file, its ports, and dynamic configuration for low latency.
import { SEARCH_ATTRIBUTES } from '../contracts/temporal.ts'

export interface ServerArguments {
  /** Absolute; also how a server that outlived its supervisor is recognised. */
  dbFile: string
  port: number
  uiPort: number
  /** The codec endpoint, which replaces references in payloads by their text for the Temporal UI. */
  codecEndpoint: string
}

/**
 * By default, the dev server polls its one shard 20 times a second, so every hop of a workflow waits for a 50 ms grid:
 * with these a turn's overhead falls from 350 to about 31 ms (measured). The time shift makes timers under a second exact;
 * it is safe on a single node only, which this is. Why fairness and keep-alive: docs/decisions/011 and 012.
 */
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'system.enableActivityEagerExecution=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'history.timerProcessorMaxTimeShift="10ms"',
  'matching.enableFairness=true',
  'frontend.keepAliveTime="2s"',
  'frontend.keepAliveTimeout="3s"',
  // By default, 128,000 closed workflows stay in memory for an hour, about 12 KiB each (measured). Evicted ones are loaded again.
  'history.hostLevelCacheMaxSize=500',
  // Only used for replication between clusters.
  'history.xdcCacheMaxSizeBytes=65536',
  // Its JSON API listens on a random port and is unused. No request can have this Host, so it answers 403 to all.
  'frontend.httpAllowedHosts=["/"]',
]

/**
 * muxi's API serves the UI under this path on its own origin, so that the browser sends the session cookie to the codec
 * endpoint.
 */
const UI_PATH = '/temporal'

/** The UI address of a server that muxi started. */
export function uiUrlOf(uiPort: number): string {
  return `http://127.0.0.1:${uiPort}${UI_PATH}`
}

/** Whether an address is the UI of a server that muxi started. */
export function isOurUi(url: string): boolean {
  const { hostname, pathname } = new URL(url)
  return hostname === '127.0.0.1' && pathname.replace(/\/$/, '') === UI_PATH
}

/** The arguments of `temporal`, always in the same order, so that two servers can be compared by their command lines. */
export function serverArguments({ dbFile, port, uiPort, codecEndpoint }: ServerArguments): string[] {
  const options: [name: string, value: string][] = [
    ['db-filename', dbFile],
    ['ip', '127.0.0.1'],
    ['port', String(port)],
    ['ui-port', String(uiPort)],
    ['ui-public-path', UI_PATH],
    ['ui-codec-endpoint', codecEndpoint],
    ['log-level', 'warn'],
    ['sqlite-pragma', 'journal_mode=WAL'],
    ['sqlite-pragma', 'synchronous=NORMAL'],
    ...SEARCH_ATTRIBUTES.map((name): [string, string] => ['search-attribute', `${name}=Keyword`]),
    ...DYNAMIC_CONFIG.map((value): [string, string] => ['dynamic-config-value', value]),
  ]
  return ['server', 'start-dev', ...options.flatMap(([name, value]) => [`--${name}`, value])]
}

/** The ports in a command line made by `serverArguments`. */
export function portsOf(commandLine: string): { port: number; uiPort: number } | undefined {
  const port = / --port (\d+) /.exec(commandLine)?.[1]
  const uiPort = / --ui-port (\d+) /.exec(commandLine)?.[1]
  return port && uiPort ? { port: Number(port), uiPort: Number(uiPort) } : undefined
}
