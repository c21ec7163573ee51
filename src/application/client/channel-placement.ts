/** Which upstream channel carries a client's: it's bound when it's needed, where its role belongs, and exchanged when it turns out to belong elsewhere. */
import type { Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import type { PendingRequests } from '../../domain/channel/pending-requests.js'
import { asksForReplies } from '../../domain/channel/reply-to.js'
import { type ChannelRole, declaresExclusiveQueue, roleToldBy } from '../../domain/policy/channel-role.js'
import type { BindingOwner, ChannelBinding } from '../upstream/channel-binding.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import type { ChannelPublishing } from './channel-publishing.js'
import { ChannelQueues } from './channel-queues.js'
import type { ClientChannelHost } from './client-channel-host.js'

/**
 * Why a channel isn't where a request is to go. `room`: an upstream channel will take a while. `move`: the broker ends the one channel
 * before there is another. `confirms`: the channel is to move, and not all is confirmed.
 */
export type Detour = 'room' | 'move' | 'confirms'

export class ChannelPlacement {
  readonly #channel: BindingOwner
  readonly #host: ClientChannelHost
  readonly #publishing: ChannelPublishing
  readonly #pending: PendingRequests
  /** The upstream channel that carries this one, once it was needed. */
  binding: ChannelBinding | undefined
  /** What the channel is used for, once it has told. */
  role: ChannelRole | undefined
  /** Where it's moving to, when its role doesn't say. */
  #target: UpstreamConnection | undefined

  constructor(
    channel: BindingOwner,
    host: ClientChannelHost,
    publishing: ChannelPublishing,
    pending: PendingRequests,
  ) {
    this.#channel = channel
    this.#host = host
    this.#publishing = publishing
    this.#pending = pending
  }

  /**
   * The role that a well-formed method tells: the channel keeps the first. Whoever asks for direct replies publishes, but goes where its
   * exclusive queues are if it has any: it couldn't reach them from elsewhere.
   */
  roleToldBy(frame: Frame): ChannelRole | undefined {
    if (this.role !== undefined) return this.role
    return asksForReplies(frame) && this.#host.ownsQueues ? 'consumer' : roleToldBy(frame)
  }

  /**
   * Has the channel carried where a method that tells `role` is to go; undefined when it's there. `isStateless`: nothing of it would be lost
   * with the upstream channel but what {@link ChannelPublishing} knows.
   */
  reach(
    frame: Frame,
    methodId: number,
    role: ChannelRole | undefined,
    isStateless: boolean,
  ): Detour | undefined {
    if (this.binding === undefined) {
      if (!this.#bind(role)) return 'room'
    } else if (role !== this.role && role !== undefined && !this.#host.settle(this.binding.upstream, role)) {
      return this.#move(this.binding, undefined)
    }
    if (!isStateless) return undefined
    if (methodId === id.TX_SELECT) return this.#shedConfirms(this.binding!)
    return ChannelQueues.concerns(methodId) ? this.#followQueue(frame, this.binding!) : undefined
  }

  #bind(role: ChannelRole | undefined): boolean {
    this.binding = this.#host.bind(this.#channel, role, this.#target)
    if (this.binding === undefined) return false
    if (this.#publishing.onBound(this.binding)) this.#pending.sent(id.TX_SELECT)
    return true
  }

  /** A transaction can't begin on an upstream channel that Warren has put in confirm mode by itself, but on another, once all is confirmed. */
  #shedConfirms(binding: ChannelBinding): Detour | undefined {
    if (!this.#publishing.isTrackedUnasked) return undefined
    if (this.#publishing.canMove === 'wait') return this.#waitForConfirms()
    const detour = this.#move(binding, undefined)
    this.#publishing.stopTracking()
    return detour
  }

  /**
   * A queue that the client owns on another upstream connection can be reached only there; and a further one is made where the others are, or
   * there would be no place for a channel that means both.
   */
  #followQueue(request: Frame, binding: ChannelBinding): Detour | undefined {
    const { canMove } = this.#publishing
    if (canMove === false) return undefined
    const { upstream } = binding
    const target =
      this.#host.claimedElsewhere(ChannelQueues.namedIn(request), upstream) ??
      (declaresExclusiveQueue(request) ? this.#host.claimsElsewhere(upstream) : undefined)
    if (target === undefined) return undefined
    return canMove === 'wait' ? this.#waitForConfirms() : this.#move(binding, target)
  }

  #waitForConfirms(): Detour {
    this.#host.assembler.endOfChunk()
    return 'confirms'
  }

  /** Once the broker has processed what was sent so far, the channel gets another upstream channel. */
  #move(binding: ChannelBinding, target: UpstreamConnection | undefined): Detour {
    this.#target = target
    this.#host.assembler.endOfChunk()
    binding.upstream.endBinding(binding)
    return 'move'
  }
}
