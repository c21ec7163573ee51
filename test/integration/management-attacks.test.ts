import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { WarrenProcess } from '../support/warren-process.js'

const JSON_TYPE = 'Content-Type: application/json'
const PUT_LIMIT = '{"limit":5}'
/** As many as the management server takes at the same time. */
const MOST_CONNECTIONS = 256

interface Answer {
  /** 0 when the connection was closed without one. */
  status: number
  body: string
}

describe('the management server under attack', function () {
  this.timeout(180_000)
  let warren: WarrenProcess
  const sockets: Socket[] = []

  /** Nothing here needs a broker. */
  async function start(...args: string[]): Promise<void> {
    warren = await WarrenProcess.start('amqp://127.0.0.1:1', [
      '--pool-max-client-connections',
      '100',
      ...args,
    ])
  }
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await warren.stop()
  })

  async function dial(): Promise<Socket> {
    const socket = connect(warren.managementPort, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }

  /** Everything that comes until the server closes the connection. */
  function everything(socket: Socket): Promise<string> {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    return new Promise((resolve) => socket.once('close', () => resolve(text)))
  }

  function answerIn(text: string): Answer {
    const [head, ...rest] = text.split('\r\n\r\n')
    return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), body: rest.join('\r\n\r\n') }
  }

  async function send(bytes: string): Promise<Answer> {
    const socket = await dial()
    const text = everything(socket)
    socket.write(Buffer.from(bytes, 'latin1'))
    return answerIn(await text)
  }

  function request(line: string, headers: string[] = [], body = ''): string {
    const host = headers.some((header) => /^host:/i.test(header)) ? [] : ['Host: 127.0.0.1']
    const length = body === '' ? [] : [`Content-Length: ${body.length}`]
    return [`${line} HTTP/1.1`, ...host, ...headers, ...length, 'Connection: close', '', body].join('\r\n')
  }

  const limit = async (): Promise<unknown> => {
    const { body } = await send(request('GET /limit', ['Authorization: Bearer may-look']))
    return (JSON.parse(body) as Record<string, unknown>)['current_limit']
  }

  it('answers what makes no sense in its own form, and lives on', async () => {
    await start()
    const requests: Record<string, string> = {
      'no HTTP': 'hello\r\n\r\n',
      TLS: '\x16\x03\x01\x02\x00\x01\x00',
      'two lengths': `PUT /limit HTTP/1.1\r\nHost: 127.0.0.1\r\n${JSON_TYPE}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'a huge header': request('GET /limit', [`X: ${'a'.repeat(20_000)}`]),
      'a long address': request(`GET /${'a'.repeat(15_000)}`),
      'a long id': request(`DELETE /clients/${'a'.repeat(200)}`),
      'a broken address': request('GET /%zz'),
      'a broken id': request('DELETE /clients/%zz'),
      'a zero byte': request('GET /clients/%00'),
      'a field twice': request('GET /clients?sort=id&sort=user'),
      'a negative page': request('GET /clients?limit=-1'),
      'an unknown question': request('GET /clients?foo=1'),
      'a body that is announced as huge': `PUT /limit HTTP/1.1\r\nHost: 127.0.0.1\r\n${JSON_TYPE}\r\nContent-Length: 10000000000\r\n\r\n{`,
      'a body without an end': `PUT /limit HTTP/1.1\r\nHost: 127.0.0.1\r\n${JSON_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n${`4000\r\n${'a'.repeat(0x4000)}\r\n`.repeat(3)}`,
      'deep JSON': request('PUT /limit', [JSON_TYPE], '['.repeat(8000)),
      'a prototype': request('PUT /limit', [JSON_TYPE], '{"limit":5,"__proto__":{"a":1}}'),
      'a number beyond all': request('PUT /limit', [JSON_TYPE], '{"limit":1e400}'),
      'a form': request('PUT /limit', ['Content-Type: application/x-www-form-urlencoded'], 'limit=5'),
      'no type': request('PUT /limit', [], PUT_LIMIT),
      'a file above the page': request('GET /page/..%2f..%2fpackage.json'),
    }
    for (const method of ['TRACE', 'OPTIONS', 'PATCH', 'PROPFIND', 'POST'])
      requests[method] = request(`${method} /limit`, [JSON_TYPE], PUT_LIMIT)
    for (const path of ['/limit/', '//limit', '/LIMIT', '/health/../limit', '/limit;x=1'])
      requests[path] = request(`PUT ${path}`, [JSON_TYPE], PUT_LIMIT)
    for (const [what, bytes] of Object.entries(requests)) {
      const { status, body } = await send(bytes)
      expect(status, what).to.be.within(400, 499)
      const answer = JSON.parse(body) as Record<string, unknown>
      expect(answer, what).to.have.all.keys('error', 'status')
      expect(answer.status, what).to.equal('failed')
    }
    expect(await limit()).to.equal(100)
    expect(warren.lines('unexpected error')).to.deep.equal([])
    expect(warren.lines('unexpected rejection')).to.deep.equal([])
  })

  it('lets nobody change anything by another way to write the address, the method or the token', async () => {
    await start('--management-token', 'may-change', '--management-read-token', 'may-look')
    const paths = ['/limit', '/%6cimit', '/limit?x=1', 'http://evil.example/limit', '/limit#']
    const tokens = [
      [],
      ['Authorization: Bearer may-look'],
      ['Authorization: Bearer may-look may-change'],
      ['Authorization: Bearer may-chang'],
      ['Authorization: Bearer may-change,may-change'],
      ['Authorization: Bearer "may-change"'],
      ['Authorization: Bearer\tmay-change'],
      ['Authorization: Basic may-change'],
      ['Authorization: may-change'],
      ['Authorization: Bearer nothing', 'Authorization: Bearer may-change'],
      ['X-HTTP-Method-Override: PUT', 'Authorization: Bearer may-look'],
      [`Authorization: Bearer ${'x'.repeat(12_000)}`],
    ]
    for (const path of paths)
      for (const token of tokens) {
        const { status } = await send(request(`PUT ${path}`, [...token, JSON_TYPE], PUT_LIMIT))
        expect(status, `${path} ${token.join()}`).to.be.oneOf([400, 401, 403, 404])
      }
    expect(await limit()).to.equal(100)
    for (const token of ['Bearer may-change', 'bearer  may-change ']) {
      const { status } = await send(
        request('PUT /limit', [`Authorization: ${token}`, JSON_TYPE], '{"limit":100}'),
      )
      expect(status).to.equal(200)
    }
  })

  it('is asked by its own name alone, or by those who give no name', async () => {
    await start()
    const statusFor = async (host: string): Promise<number> =>
      (await send(request('GET /stats', [`Host: ${host}`]))).status
    for (const host of [
      'evil.example',
      '127.0.0.1.evil.example',
      '127.0.0.1:6673@evil',
      'a@127.0.0.1',
      '127.0.0.1, evil',
      'localhost.',
      'localhost:6673.evil.example',
      '127.1',
      '2130706433',
      '::1',
      '[::1',
      '',
    ])
      expect(await statusFor(host), host).to.equal(403)
    for (const host of ['127.0.0.1', '127.0.0.1:6673', 'LOCALHOST:1', '[::1]:80'])
      expect(await statusFor(host), host).to.equal(200)
    // A balancer's health check.
    expect((await send('GET /healthz HTTP/1.0\r\n\r\n')).status).to.equal(200)
  })

  it('closes who takes long to ask, and has no more than so many at the same time', async () => {
    await start()
    const crowd = await Promise.all(Array.from({ length: MOST_CONNECTIONS }, () => dial()))
    const slow = crowd.slice(0, 2).map((socket) => everything(socket))
    crowd[0].write('GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ')
    crowd[1].write(
      `PUT /limit HTTP/1.1\r\nHost: 127.0.0.1\r\n${JSON_TYPE}\r\nContent-Length: 1000\r\n\r\n{"limit": `,
    )
    // Each byte in time for whoever only looks at how long the line is silent.
    const drip = setInterval(() => crowd.slice(0, 2).forEach((socket) => socket.write(' ')), 500)
    const late = await dial()
    await everything(late)
    const answers = await Promise.all(slow)
    clearInterval(drip)
    for (const text of answers) {
      expect(answerIn(text).status).to.equal(408)
      expect(answerIn(text).body).to.equal(
        '{"error":"the request did not arrive within 10 s","status":"failed"}',
      )
    }
    // There is room again, also for those whose neighbours only hold their places.
    await eventually(async () => expect(await limit()).to.equal(100))
    for (const socket of crowd) socket.destroy()
    await eventually(async () => expect(await limit()).to.equal(100))
  })
})
