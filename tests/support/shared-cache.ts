// What tests share with the installation instead of making it once a test: compiled code.
import { fileURLToPath } from 'node:url'

/** Also the compile cache of `cli/muxi.mjs`. */
export const SHARED_CACHE = fileURLToPath(new URL('../../node_modules/.cache/muxi', import.meta.url))
