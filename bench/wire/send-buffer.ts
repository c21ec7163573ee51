/** A buffer that is filled, written to a socket and filled again, as long as the kernel takes it at once. */
import type { Socket } from 'node:net'

export class SendBuffer {
  bytes: Buffer

  /** `pattern`: what the buffer holds when it is handed out; only what differs has to be filled in. */
  constructor(private readonly pattern: Buffer) {
    this.bytes = Buffer.from(pattern)
  }

  send(socket: Socket, length: number): void {
    socket.write(length === this.bytes.length ? this.bytes : this.bytes.subarray(0, length))
    // The socket still reads from these bytes: they must stay as they are.
    if (socket.writableLength > 0) this.bytes = Buffer.from(this.pattern)
  }
}
