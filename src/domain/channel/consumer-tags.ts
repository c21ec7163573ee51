/** Which consumer tags of a channel are in use, as the broker will see it when it gets to a request. */

/** `starting` and `stopping`: the broker's answer is to come. `lost`: the broker has cancelled a consumer before it confirmed it. */
interface Consumer {
  phase: 'starting' | 'active' | 'stopping' | 'lost'
  /** The client didn't ask for the answer that is to come. */
  isHidden: boolean
}

/**
 * RabbitMQ ends the whole connection over a tag that is in use (530), and crashes over one that is cancelled before its
 * Consume-Ok (541). So there is at most one request under way for each tag, and every request asks for an answer.
 */
export class ConsumerTags {
  readonly #consumers = new Map<string, Consumer>()
  /** For each consumer that the broker is to name, in the order of requests: whether the client didn't ask for the answer. */
  readonly #unnamed: boolean[] = []

  /** Whether an answer about `tag` is to come: a further request has to wait for it. */
  isUndecided(tag: string): boolean {
    const consumer = this.#consumers.get(tag)
    return consumer !== undefined && consumer.phase !== 'active'
  }

  isUsed(tag: string): boolean {
    return this.#consumers.has(tag)
  }

  /** A consumer is asked for; with an empty tag the broker is to choose one. `isHidden`: the client doesn't want the answer. */
  start(tag: string, isHidden: boolean): void {
    if (tag === '') this.#unnamed.push(isHidden)
    else this.#consumers.set(tag, { phase: 'starting', isHidden })
  }

  /** The end of a consumer that is in use is asked for. */
  stop(tag: string, isHidden: boolean): void {
    this.#consumers.set(tag, { phase: 'stopping', isHidden })
  }

  /** The broker has confirmed a consumer. Returns whether the client asked for the answer. */
  onConsumeOk(tag: string): boolean {
    const consumer = this.#consumers.get(tag)
    if (consumer?.phase === 'lost') this.#consumers.delete(tag)
    else if (consumer?.phase === 'starting') consumer.phase = 'active'
    else {
      this.#consumers.set(tag, { phase: 'active', isHidden: false })
      return this.#unnamed.shift() !== true
    }
    return !consumer.isHidden
  }

  /** The broker has confirmed the end of a consumer, or that there was none. Returns whether the client asked for the answer. */
  onCancelOk(tag: string): boolean {
    const consumer = this.#consumers.get(tag)
    if (consumer?.phase !== 'stopping') return true
    this.#consumers.delete(tag)
    return !consumer.isHidden
  }

  /** The broker has ended a consumer by itself. */
  onBrokerCancel(tag: string): void {
    const consumer = this.#consumers.get(tag)
    if (consumer?.phase === 'active') this.#consumers.delete(tag)
    else if (consumer?.phase === 'starting') consumer.phase = 'lost'
  }
}
