// A script: opens a storage, migrating its database, and closes it again. Argument: the options as JSON.
import { openStorage } from '../../db/storage.ts'

const storage = await openStorage(JSON.parse(process.argv[2] ?? '{}'))
await storage.close()
process.stdout.write('opened\n')
