import { expect } from 'chai'
import { parseUpstreamUrl, redactUrl } from '../../../../src/adapters/config/upstream-url.js'

describe('parseUpstreamUrl', () => {
  const endpoints = {
    'amqp://rabbit': ['rabbit', 5672],
    'amqp://rabbit:': ['rabbit', 5672],
    'AMQP://rabbit:5700/': ['rabbit', 5700],
    'amqp://[::1]': ['::1', 5672],
    'amqp://[2001:db8::1]:5700': ['2001:db8::1', 5700],
    'amqp://guest:p%40ss@10.0.0.1:1/vhost': ['10.0.0.1', 1],
  }
  for (const [url, [host, port]] of Object.entries(endpoints)) {
    it(`reads ${url}`, () => {
      expect(parseUpstreamUrl(url).endpoint).to.deep.equal({ host, port })
    })
  }

  const wrong = [
    '',
    'rabbit',
    'rabbit:5672',
    'amqp:rabbit',
    'amqp://',
    'amqp:///x',
    'http://rabbit',
    'amqp://a,b',
  ]
  for (const url of [
    ...wrong,
    'amqp://h:0',
    'amqp://h:65536',
    'amqp://h:56x2',
    'amqp://a b',
    'amqp://[::1',
    'amqp://1.2',
  ]) {
    it(`refuses ${JSON.stringify(url)}`, () => {
      expect(() => parseUpstreamUrl(url)).to.throw('must be amqp://host:port')
    })
  }

  it('refuses a password whose unescaped characters would make another host of it', () => {
    for (const url of ['amqp://user:1/2@rabbit', 'amqp://user:1?@rabbit', 'amqp://user:1#@rabbit']) {
      expect(() => parseUpstreamUrl(url)).to.throw('percent-encoded')
    }
  })

  it('names what is not used', () => {
    expect(parseUpstreamUrl('amqp://rabbit/').unused).to.deep.equal([])
    expect(parseUpstreamUrl('amqp://u@rabbit').unused).to.have.length(1)
    expect(parseUpstreamUrl('amqp://u:p@rabbit/%2f?heartbeat=1').unused).to.have.length(3)
  })
})

describe('redactUrl', () => {
  const shown = {
    'amqp://rabbit:5672/vhost': 'amqp://rabbit:5672/vhost',
    'amqp://[::1]:5672': 'amqp://[::1]:5672',
    'amqp://u:p@[::1]/x': 'amqp://***@[::1]/x',
    'amqp://u:hunter2@rabbit': 'amqp://***@rabbit',
    'amqp://hunter2@rabbit': 'amqp://***@rabbit',
    'amqp://u:hunter@2@rabbit': 'amqp://***@rabbit',
    'amqp://u:1/hunter2@rabbit': 'amqp://***@rabbit',
    'u:hunter2@rabbit': '***@rabbit',
    'amqp:u:hunter2@rabbit': '***@rabbit',
    'amqp://u:hunter2': 'amqp://u:***',
    'amqp://u:hunter2/vhost': 'amqp://u:***',
    'amqp://[u:hunter2': 'amqp://[u:***',
    'u:hunter2': 'u:***',
    'amqp://rabbit?password=hunter2': 'amqp://rabbit?***',
    'amqp://rabbit:1/x?password=hunter2#y': 'amqp://rabbit:1/x?***',
    '': '',
  }
  for (const [url, redacted] of Object.entries(shown)) {
    it(`shows ${JSON.stringify(url)} as ${JSON.stringify(redacted)}`, () => {
      expect(redactUrl(url)).to.equal(redacted)
    })
  }
})
