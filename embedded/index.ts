// The package `muxi`: the client, which without a server's address runs everything in its own process.
export * from '../client/index.ts'
export { EmbeddedError, EmbeddedMuxi, muxi } from './muxi.ts'
export type { EmbeddedOptions, ListeningServer, ServeOptions } from './options.ts'
