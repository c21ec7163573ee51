import { expect } from 'chai'
import { eventually } from '../../support/eventually.js'
import { describeClient } from '../../support/client-routes.js'

const TASKS = 50

describeClient('celery', (route) => {
  it('calls tasks of a worker and gets their results, errors and retries, and an answer to a ping', async () => {
    const worker = route.start('celery/worker.py')
    try {
      await worker.says('ready.')
      expect(await route.run('celery/client.py', TASKS)).to.deep.equal({
        squares: Array.from({ length: TASKS }, (_, n) => n * n),
        failed: "ValueError('on purpose')",
        retried: 2,
        group: [0, 1, 4, 9, 16],
        chain: 81,
        workers: [[{ ok: 'pong' }]],
      })
      await route.holds('celery', 0)
      expect((await route.queue('celery'))!.consumers).to.equal(1)
    } finally {
      await worker.terminate()
    }
    await route.holds('celery', 0)
    await eventually(async () => expect((await route.queue('celery'))!.consumers).to.equal(0))
  })
})
