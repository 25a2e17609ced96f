// The main database by its connection string: the one place where memories are kept, in the same transactions as turns.

/** The database file in the data folder, where no Postgres is configured. */
export const SQLITE_FILE = 'muxi.db'

export interface MainDatabase {
  /** A Postgres URL; undefined: the SQLite file. */
  database_url?: string | undefined
  /** Absolute path of the SQLite file. */
  sqlite_file: string
}

/** What a connection string that is refused must be instead. */
export const MAIN_DATABASE =
  `true, false or the connection string of the main database (DATABASE_URL, or without it sqlite:/// and the file '${SQLITE_FILE}' in MUXI_DATA_DIR), ` +
  'because memories are stored with the turns that they come from'

/**
 * Whether a connection string names the main database, in the forms of the MUXI framework: `sqlite:///` and a path, or a Postgres
 * URL.
 * @param resolvePath makes a path absolute
 */
export function isMainDatabase(
  text: string,
  { database_url, sqlite_file }: MainDatabase,
  resolvePath: (path: string) => string,
): boolean {
  if (database_url !== undefined) return plain(text) === plain(database_url)
  const path = /^sqlite:\/\/\/(.+)$/i.exec(text)?.[1]
  return path !== undefined && resolvePath(path) === sqlite_file
}

/** Both names of the scheme mean the same. */
function plain(url: string): string {
  return url.replace(/^postgres:/, 'postgresql:')
}

/** A refused connection string as an error shows it: without what may be a password. */
export function shownConnection(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]{0,30}:\/\//i.exec(text)?.[0]
  return scheme === undefined ? 'something else' : `another one that begins with ${scheme}`
}
