// Encryption of stored credentials: AES-256-GCM under one key, bound to the name of the secret.
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const SESSION = 'session'
const MIN_KEY_CHARACTERS = 32

/** Not retryable: the key is a different one, or the text was changed or moved. */
export class UnreadableSecret extends Error {
  override readonly name = 'UnreadableSecret'
}

export class SecretBox {
  readonly #key: Buffer

  /** @param secret a text with enough entropy, from which the key is derived */
  constructor(secret: string) {
    this.#key = createHash('sha256').update(`muxi secret box\0${secret}`).digest()
  }

  seal(name: string, value: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name))
    const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
  }

  /** @throws UnreadableSecret when the key is a different one or the text was changed or moved to another name */
  open(name: string, ciphertext: string): string {
    const bytes = Buffer.from(ciphertext, 'base64')
    const unreadable = `Cannot decrypt '${name}': MUXI_SECRET_KEY must be the key it was stored with`
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new UnreadableSecret(unreadable)
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES)).setAAD(
      Buffer.from(name),
    )
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    try {
      return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    } catch (cause) {
      throw new UnreadableSecret(unreadable, { cause })
    }
  }

  opens(name: string, ciphertext: string): boolean {
    try {
      this.open(name, ciphertext)
      return true
    } catch {
      return false
    }
  }

  /** The value of a session cookie: an encrypted key hash with an expiry in `seconds`. */
  sealSession(keyHash: string, seconds: number): string {
    return this.seal(SESSION, JSON.stringify([keyHash, Date.now() + seconds * 1_000]))
  }

  /** The key hash of a session; undefined when the cookie is expired or invalid. */
  openSession(cookie: string): string | undefined {
    try {
      const [keyHash, until] = JSON.parse(this.open(SESSION, cookie)) as [string, number]
      return until > Date.now() ? keyHash : undefined
    } catch {
      return undefined
    }
  }

  /** A keyed hash as a pseudonym of a user id (search attributes). */
  pseudonym(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('hex').slice(0, 32)
  }
}

/** The key of the settings, or one that is generated once and stored in the data folder, readable by its owner only. */
export function loadSecretKey(dataDir: string, configured: string | undefined): string {
  if (configured !== undefined) return configured
  const file = join(dataDir, 'secret.key')
  mkdirSync(dataDir, { recursive: true })
  if (!existsSync(file)) makeSecretKey(file)
  const key = readFileSync(file, 'utf8').trim()
  if (key.length < MIN_KEY_CHARACTERS) {
    throw new Error(
      `Cannot use '${file}': it must hold the secret key, at least ${MIN_KEY_CHARACTERS} characters. Restore it, or set MUXI_SECRET_KEY`,
    )
  }
  return key
}

/** Written atomically: a full disk must not leave an empty key. */
function makeSecretKey(file: string): void {
  const draft = `${file}.${process.pid}`
  try {
    writeFileSync(draft, randomBytes(32).toString('base64'), { mode: 0o600 })
    linkSync(draft, file)
  } catch (error) {
    // Another process of this data folder was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}
