// A script: takes the lock of a data folder and keeps it until it is killed, though it drops what it got. Arguments: folder, duty.
import { type Duty, takeDataLockOrThrow } from '../../cli/data-lock.ts'

const [folder = '', duty = 'api'] = process.argv.slice(2)
takeDataLockOrThrow(folder, duty as Duty)
console.log('locked')
setInterval(() => {}, 1000)
