/**
 * How Node.js collects garbage in the programs that carry bytes: on the thread that serves the clients.
 *
 * Every read of a socket leaves 64 KiB of garbage that V8 counts against a small allowance. With helper threads that lag behind it then marks
 * the whole heap again and again, although nearly all of that garbage is young and gone with the next, cheap, collection of the young. What the
 * helpers did was half of Warren's CPU time for small messages on a busy machine (docs/performance.md).
 */
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--no-concurrent-marking')
setFlagsFromString('--no-concurrent-array-buffer-sweeping')
setFlagsFromString('--no-parallel-scavenge')
