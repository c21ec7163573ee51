import { EventEmitter } from 'node:events'
import { expect } from 'chai'
import {
  onControlSignal,
  onShutdownSignal,
  type ShutdownSignal,
} from '../../../../src/adapters/signals/process-signals.js'

describe('onShutdownSignal', () => {
  let process: EventEmitter
  let calls: string[]
  let stop: () => void

  beforeEach(() => {
    process = new EventEmitter()
    calls = []
    stop = onShutdownSignal(
      process,
      (signal) => calls.push(`first ${signal}`),
      (signal) => calls.push(`second ${signal}`),
    )
  })

  /** As Node does it: the listener gets the signal's name and number. */
  const send = (signal: ShutdownSignal): boolean => process.emit(signal, signal, 15)

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`calls first at the first ${signal}`, () => {
      send(signal)
      expect(calls).to.deep.equal([`first ${signal}`])
    })
  }

  it('calls second at each further one, whichever it is', () => {
    send('SIGTERM')
    send('SIGINT')
    send('SIGTERM')
    expect(calls).to.deep.equal(['first SIGTERM', 'second SIGINT', 'second SIGTERM'])
  })

  it('counts a signal that comes while first runs as a further one', () => {
    const nested: string[] = []
    const other = new EventEmitter()
    onShutdownSignal(
      other,
      () => {
        nested.push('first')
        other.emit('SIGINT', 'SIGINT')
      },
      () => nested.push('second'),
    )
    other.emit('SIGINT', 'SIGINT')
    expect(nested).to.deep.equal(['first', 'second'])
  })

  it('leaves no handlers behind once it is stopped, also twice', () => {
    stop()
    stop()
    expect(process.eventNames()).to.deep.equal([])
  })

  it('works on the real process', () => {
    const before = globalThis.process.listenerCount('SIGTERM')
    const undo = onShutdownSignal(
      globalThis.process,
      () => {},
      () => {},
    )
    expect(globalThis.process.listenerCount('SIGTERM')).to.equal(before + 1)
    undo()
    expect(globalThis.process.listenerCount('SIGTERM')).to.equal(before)
  })
})

describe('onControlSignal', () => {
  it('calls each handler at its signal, as often as it comes', () => {
    const process = new EventEmitter()
    const calls: string[] = []
    onControlSignal(process, {
      raiseLimit: () => calls.push('up'),
      lowerLimit: () => calls.push('down'),
      reload: () => calls.push('reload'),
    })
    for (const signal of ['SIGUSR1', 'SIGUSR1', 'SIGUSR2', 'SIGHUP']) process.emit(signal)
    expect(calls).to.deep.equal(['up', 'up', 'down', 'reload'])
  })
})
