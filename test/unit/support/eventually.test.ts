import { expect } from 'chai'
import { eventually } from '../../support/eventually.js'

/** Nothing happens in this process for so long. */
function standStill(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

describe('eventually', () => {
  it('resolves with what the check returns once it doesn’t throw', async () => {
    let checks = 0
    const result = await eventually(() => {
      if (++checks < 3) throw new Error('not yet')
      return checks
    })
    expect(result).to.equal(3)
  })

  it('gives up with the last error', async () => {
    let checks = 0
    const outcome = eventually(() => {
      throw new Error(`check ${++checks}`)
    }, 50)
    await outcome.then(
      () => expect.fail('it never gave up'),
      (error: Error) => expect(error.message).to.equal(`check ${checks}`),
    )
    expect(checks).to.be.above(1)
  })

  it('takes a time in which the machine stood still for no time', async () => {
    let checks = 0
    await eventually(() => {
      if (++checks === 1) standStill(300)
      if (checks < 3) throw new Error('not yet')
    }, 200)
    expect(checks).to.equal(3)
  })

  it('begins anew whenever there is progress', async () => {
    let checks = 0
    await eventually(
      () => {
        standStill(10)
        if (++checks < 20) throw new Error('not yet')
      },
      50,
      () => checks,
    )
    expect(checks).to.equal(20)
  })
})
