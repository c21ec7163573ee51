import { expect } from 'chai'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { missingClient } from '../../scripts/client-packages.mjs'
import { type Visit, barriers, launchBrowser, visit } from '../support/browser.js'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const CLIENTS = 60
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

describe('the status page', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let browser: Browser
  let warren: WarrenProcess
  let clients: WireClient[]
  let visits: Visit[]

  before(async function () {
    const why = missingClient('chromium')
    if (why !== undefined) {
      console.log(`      ${why}`)
      this.skip()
    }
    broker = await sharedBroker()
    browser = await launchBrowser()
  })
  after(() => browser?.close())

  beforeEach(() => {
    clients = []
    visits = []
  })
  afterEach(async function () {
    await Promise.all(visits.map(({ page }) => page.context().close()))
    for (const client of clients) client.reset()
    await warren?.stop()
    if (this.currentTest?.state !== 'passed') return
    expect(visits.flatMap(({ complaints }) => complaints)).to.deep.equal([])
    const foreign = visits.flatMap(({ requests }) => requests).filter((url) => !url.startsWith(address()))
    expect(foreign).to.deep.equal([])
  })

  const address = (): string => `http://127.0.0.1:${warren.managementPort}/`

  async function start(...args: string[]): Promise<void> {
    warren = await WarrenProcess.start(broker.port, args)
  }
  async function connect(count: number): Promise<void> {
    for (let n = 0; n < count; n++) clients.push(await WireClient.connect(warren.port))
  }
  async function open(options: BrowserContextOptions & { isHurried?: boolean } = {}): Promise<Page> {
    const opened = await visit(browser, address(), { isHurried: true, ...options })
    visits.push(opened)
    return opened.page
  }
  const says = (where: Page | Locator, text: string | RegExp): Promise<void> =>
    where.getByText(text).first().waitFor()
  const rows = (page: Page, table: string): Locator =>
    page.getByRole('table', { name: table, exact: true }).locator('tbody tr')
  const figure = (page: Page, name: string): Locator =>
    page.locator('#figures .card').filter({ has: page.getByRole('heading', { name, exact: true }) })
  const use = async (page: Page, token: string): Promise<void> => {
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Use it' }).click()
  }

  it('shows what there is, and follows what happens', async () => {
    await start('--pool-max-client-connections', '500')
    const page = await open({ isHurried: false })
    await says(page, 'ready')
    await says(page, 'No clients are connected.')
    await connect(2)
    await clients[0].openChannel(1)
    await clients[0].declareQueue(1)
    await says(figure(page, 'Clients'), /^2$/)
    await says(figure(page, 'Clients'), 'of 500')
    await says(page, '2 clients of 500 (0.4 %)')
    await says(figure(page, 'Client channels'), /^1$/)
    await eventually(async () => expect(await rows(page, 'Clients').count()).to.equal(2))
    await eventually(async () => expect(await rows(page, 'Upstream connections').count()).to.equal(1))
    const label = await figure(page, 'Clients').getByRole('img').getAttribute('aria-label')
    expect(label).to.match(/^Clients, last minutes: now 2; at most 2$/)
    clients.pop()!.reset()
    await says(figure(page, 'Clients'), /^1$/)
  })

  it('stands still when it is asked to', async () => {
    await start()
    const page = await open()
    await says(page, 'No clients are connected.')
    await page.getByRole('button', { name: 'Live' }).click()
    const { requests } = visits[0]
    // Longer than the page would wait in its hurry. A look that was under way when it was stopped comes to its end before.
    const pass = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 800))
    const before = await eventually(async () => {
      const count = requests.length
      await pass()
      expect(requests).to.have.length(count)
      return count
    })
    await connect(1)
    await pass()
    expect(requests).to.have.length(before)
    await page.getByRole('button', { name: 'Paused' }).click()
    await says(figure(page, 'Clients'), /^1$/)
  })

  it('turns the pages of long lists, searches and sorts them', async () => {
    await start()
    await connect(CLIENTS)
    const page = await open()
    const list = page.getByRole('region', { name: 'Clients', exact: true })
    const first = rows(page, 'Clients').first().locator('td').first()
    const button = (name: string): Locator => list.getByRole('button', { name, exact: true })
    await says(list, '1–25 of 60')
    await button('Client').click()
    await eventually(async () => expect(await first.textContent()).to.equal('c1'))
    await button('Last clients').click()
    await says(list, '51–60 of 60')
    expect(await button('Next clients').isDisabled()).to.equal(true)
    await button('Previous clients').click()
    await says(list, '26–50 of 60')
    await button('Client').click()
    await eventually(async () => expect(await first.textContent()).to.equal('c60'))
    expect(await list.getByRole('columnheader', { name: 'Client' }).getAttribute('aria-sort')).to.equal(
      'descending',
    )
    const { localPort } = clients[7].socket
    await list.getByRole('searchbox').fill(`:${localPort}`)
    await eventually(async () => expect(await rows(page, 'Clients').count()).to.equal(1))
    expect(await first.textContent()).to.equal('c8')
    await list.getByRole('searchbox').fill('nobody')
    await says(list, 'Nothing matches “nobody”.')
  })

  it('changes the limit, and says why where it cannot', async () => {
    await start('--pool-max-client-connections', '10')
    await connect(3)
    const page = await open()
    const limit = page.getByRole('spinbutton', { name: 'New limit' })
    await limit.fill('2')
    await page.getByRole('button', { name: 'Set' }).click()
    await says(page, 'Cannot set limit to 2 when 3 connections are active.')
    expect(await limit.getAttribute('aria-invalid')).to.equal('true')
    await limit.fill('4')
    await limit.press('Enter')
    await says(page, 'Connection limit updated to 4.')
    await says(page, '3 clients of 4 (75 %)')
    await page.getByRole('button', { name: 'No limit' }).click()
    await page.getByRole('button', { name: 'Lift it' }).click()
    await says(page, 'Connection limit of 4 lifted.')
    await says(page, '3 clients, not limited')
    await page.getByText('Changed 2 times since the start').click()
    await eventually(async () =>
      expect(await rows(page, 'Changes of the client limit').allTextContents()).to.have.length(2),
    )
  })

  it('closes a client and an upstream connection, when the question is answered with yes', async () => {
    await start()
    await connect(2)
    for (const client of clients) await client.openChannel(1)
    await clients[1].declareQueue(1)
    const page = await open()
    await page.getByRole('button', { name: 'Close client c1', exact: true }).click()
    await says(page, 'Close client c1?')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await eventually(async () => expect(await page.getByRole('dialog').count()).to.equal(0))
    await clients[0].declareQueue(1)
    await page.getByRole('button', { name: 'Close client c1', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await says(page, 'Client c1 closed.')
    expect(await clients[0].expectMethod('connection.close')).to.include({ code: 320 })
    clients[0].reset()
    await eventually(async () => expect(await rows(page, 'Clients').count()).to.equal(1))
    await page
      .getByRole('button', { name: /^Close upstream connection/ })
      .first()
      .click()
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    expect(await clients[1].expectMethod('connection.close')).to.include({ code: 320 })
  })

  it('takes the answer to a question that is asked again at once', async () => {
    await start()
    await connect(1)
    const page = await open()
    await page.getByRole('button', { name: 'Close client c1', exact: true }).waitFor()
    // Faster than the browser tells of the dialog's close, as a quick person at a busy machine is.
    await page.evaluate(`
      const button = document.querySelector('[aria-label="Close client c1"]')
      button.click()
      document.getElementById('no').click()
      button.click()`)
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50)))')
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await says(page, 'Client c1 closed.')
  })

  it('pauses and resumes a pool, and says so as long as it lasts', async () => {
    await start()
    await connect(1)
    const page = await open()
    await page.getByRole('button', { name: 'Pause pool p1' }).click()
    await says(page, '1 pool is paused: new messages and channels wait.')
    await page.getByRole('button', { name: 'Resume pool p1' }).click()
    await eventually(async () => expect(await page.getByText('1 pool is paused').isVisible()).to.equal(false))
  })

  it('shows messages that the broker refuses while there are any, tries them again and drops them', async () => {
    await start('--pool-publish-buffer-size', '10', '--pool-publish-guarantee', 'confirmed')
    await connect(1)
    const [client] = clients
    const page = await open()
    const list = page.getByRole('region', { name: 'Messages that the broker refuses' })
    await says(page, 'ready')
    expect(await list.isVisible()).to.equal(false)
    await client.openChannel(1)
    const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' }
    const { queue } = await client.declareQueue(1, '', { exclusive: true, arguments: full })
    await client.openChannel(2)
    for (const body of ['fits', 'waits', 'goes']) client.publish(2, { routingKey: queue, body })
    const set = rows(page, 'Messages that the broker refuses')
    await eventually(async () => expect(await set.count()).to.equal(2))
    await says(set.first(), '(default)')
    await says(set.first(), queue)
    // One fits when there's room for it.
    await eventually(() => client.get(1, queue))
    await list.getByRole('button', { name: 'Retry message 1', exact: true }).click()
    await says(page, '1 message is published again.')
    await eventually(async () => expect(await set.count()).to.equal(1))
    expect((await eventually(() => client.get(1, queue))).body.toString()).to.equal('waits')
    await list.getByRole('button', { name: 'Drop all of these messages' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Drop' }).click()
    await says(page, '1 message dropped.')
    await eventually(async () => expect(await list.isVisible()).to.equal(false))
  })

  it('shows workers where there are several, and has them restarted', async () => {
    await start('--workers', '2')
    const page = await open()
    const workers = rows(page, 'Workers')
    await eventually(async () => expect(await workers.count()).to.equal(2))
    await says(workers.first(), 'ready')
    await page.getByRole('button', { name: 'Restart the workers one by one' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click()
    await says(page, '2 workers to restart, one by one.')
    await eventually(async () => {
      const starts = await workers.locator('td:nth-child(5)').allTextContents()
      expect(starts).to.deep.equal(['2', '2'])
    }, 90_000)
  })

  it('can be used with the keyboard alone', async () => {
    await start()
    await connect(3)
    const page = await open()
    await page.getByRole('button', { name: 'Close client c3', exact: true }).waitFor()
    const focus = (): Promise<string> =>
      page.evaluate(
        'document.activeElement.id || document.activeElement.getAttribute("aria-label") || document.activeElement.textContent.trim()',
      )
    const tabTo = async (name: string): Promise<void> => {
      for (let n = 0; n < 80; n++) {
        await page.keyboard.press('Tab')
        if ((await focus()) === name) return
      }
      throw new Error(`The tab key doesn't lead to ${name}.`)
    }
    await page.keyboard.press('Tab')
    await eventually(async () => expect(await focus()).to.equal('Skip to the clients'))
    await tabTo('newLimit')
    await page.keyboard.type('7')
    await page.keyboard.press('Enter')
    await says(page, 'Connection limit updated to 7.')
    await tabTo('Close client c2')
    await page.keyboard.press('Enter')
    await eventually(async () => expect(await focus()).to.equal('no'))
    await page.keyboard.press('Escape')
    await eventually(async () => expect(await focus()).to.equal('Close client c2'))
    await page.keyboard.press('Enter')
    await eventually(async () => expect(await focus()).to.equal('no'))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await says(page, 'Client c2 closed.')
    expect(await clients[1].expectMethod('connection.close')).to.include({ code: 320 })
    clients[1].reset()
    // The keyboard's place is on another row then, not at the top of the page.
    await eventually(async () => expect(await focus()).to.match(/^Close client c[13]$/))
  })

  it('shows nothing without a token, and changes nothing with the reading one', async () => {
    await start('--management-token', 'may-change', '--management-read-token', 'may-look')
    await connect(1)
    const page = await open()
    await says(page, 'token needed')
    expect(await figure(page, 'Clients').isVisible()).to.equal(false)
    await use(page, 'may-guess')
    await says(page, 'The bearer token is wrong.')
    expect(await page.getByLabel('Token').getAttribute('aria-invalid')).to.equal('true')
    await use(page, 'may-look')
    await says(page, 'ready')
    await page.getByRole('button', { name: 'Close client c1', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
    await says(page, 'This token may look, and change nothing.')
    await use(page, 'may-change')
    await page.getByRole('spinbutton', { name: 'New limit' }).fill('9')
    await page.getByRole('button', { name: 'Set' }).click()
    await says(page, 'Connection limit updated to 9.')
    // Kept for this tab alone, and only until it's forgotten.
    await page.reload()
    await says(page, 'ready')
    await page.getByRole('button', { name: 'Forget it' }).click()
    await says(page, 'token needed')
  })

  it('says that the broker is away, that Warren drains, and that it is gone', async () => {
    await start()
    const page = await open()
    await says(page, 'ready')
    await warren.stop()
    await says(page, /^Warren cannot be reached\. What you see is from /)
    visits[0].complaints.length = 0

    warren = await WarrenProcess.start('amqp://127.0.0.1:1')
    const lonely = await open()
    await says(lonely, /^Broker unreachable: connect ECONNREFUSED 127\.0\.0\.1:1; next try in /)
    await warren.stop()

    await start('--shutdown-grace', '28')
    await connect(1)
    const draining = await open()
    await says(draining, 'ready')
    warren.signal('SIGTERM')
    await says(draining, 'No new clients are accepted; Warren ends when those that are in have left.')
    visits.length = 0
  })

  for (const [what, options] of [
    ['in the light', {}],
    ['in the dark', { colorScheme: 'dark' }],
    ['on a phone', PHONE],
  ] as const)
    it(`puts nothing in the way of anybody ${what}`, async () => {
      await start('--pool-max-client-connections', '40', '--management-token', 'may-change')
      await connect(30)
      const page = await open(options)
      await says(page, 'token needed')
      expect(await barriers(page)).to.deep.equal([])
      await use(page, 'may-change')
      await rows(page, 'Clients').first().waitFor()
      await page.getByRole('spinbutton', { name: 'New limit' }).fill('1')
      await page.getByRole('spinbutton', { name: 'New limit' }).press('Enter')
      await says(page, /^Cannot set limit to 1/)
      await page.getByRole('button', { name: 'Pause pool p1' }).click()
      await says(page, '1 pool is paused: new messages and channels wait.')
      expect(await barriers(page)).to.deep.equal([])
      await page.getByRole('button', { name: 'Close client c1', exact: true }).click()
      expect(await barriers(page)).to.deep.equal([])
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).to.equal(true)
    })
})
