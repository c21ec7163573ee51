/** Upstream channels that Warren uses for itself. */
import type { BindingOwner, ClientReceiver } from './channel-binding.js'

function ignore(): void {}

const NOWHERE: ClientReceiver = {
  frameMax: Infinity,
  receive: ignore,
  receiveParts: ignore,
  receiveOversized: ignore,
  onHeldBack: ignore,
  onUnexpectedError: ignore,
}

/**
 * Owns an upstream channel on behalf of no client: whatever the broker says there is for nobody. Subclasses
 * listen to what they asked for.
 */
export class InternalChannel implements BindingOwner {
  readonly clientChannel = 0
  readonly client: object = this
  readonly isClientGone = true
  readonly isSafe: boolean = false
  readonly receiver = NOWHERE
  onBrokerClose(): boolean {
    return false
  }
  onCloseOk(): boolean {
    return false
  }
  onSettled(): void {}
  onConfirm(): boolean {
    return false
  }
  onReleased(): void {}
  onAnswer(): boolean {
    return false
  }
  onBrokerCancel(): boolean {
    return false
  }
}
