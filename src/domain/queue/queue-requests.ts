/** Requests that name a queue and aren't answered, on one upstream connection, whose channels the broker serves side by side. */
export class QueueRequests<Client> {
  /** How many each client has under way, by queue. */
  readonly #counts = new Map<string, Map<Client, number>>()

  /** `client` has asked for something about `queue`. Has to be followed by {@link answered}. */
  sent(client: Client, queue: string): void {
    const clients = this.#counts.get(queue)
    if (clients === undefined) this.#counts.set(queue, new Map([[client, 1]]))
    else clients.set(client, (clients.get(client) ?? 0) + 1)
  }

  /** The broker has answered that, or won't any more. */
  answered(client: Client, queue: string): void {
    const clients = this.#counts.get(queue)
    const left = (clients?.get(client) ?? 0) - 1
    if (left > 0) clients!.set(client, left)
    else clients?.delete(client)
    if (clients?.size === 0) this.#counts.delete(queue)
  }

  /** Whether any client but this one has something under way. */
  hasOthers(client: Client, queue: string): boolean {
    const clients = this.#counts.get(queue)
    return clients !== undefined && (clients.size > 1 || !clients.has(client))
  }
}
