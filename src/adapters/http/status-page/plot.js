/** A small plot of the last minutes: lines over time, a scale, a limit if there is one, and the values under the pointer. */
import { make } from './elements.js'

const MINUTE_MS = 60_000
/** As long as there are no figures for it, a plot spans fewer of these. */
const SPANS = [1, 2, 5].map((minutes) => minutes * MINUTE_MS)
const WINDOW_MS = SPANS.at(-1)
const HEIGHT = 72
const TOP = 14
/** A pause in the samples is no line. */
const GAP_MS = 15_000

const STEPS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10]

/** The nearest round number at or above `n`, where a thousand is `thousand`. */
function niceTop(n, thousand) {
  const unit = thousand ** Math.max(0, Math.floor(Math.log(n) / Math.log(thousand)))
  const power = 10 ** Math.floor(Math.log10(n / unit))
  return (STEPS.find((step) => step * power * unit >= n) ?? 10) * power * unit
}

/** One plot; `keys` name its lines, `format` writes their values, `thousand` is 1024 for bytes. */
export class Plot {
  #samples = []
  #pointer
  #limit = 0

  constructor(name, keys, format, thousand = 1000) {
    this.name = name
    this.keys = keys
    this.format = format
    this.thousand = thousand
    this.canvas = make('canvas', { role: 'img' })
    this.readout = make('div', { className: 'readout', 'aria-hidden': 'true', hidden: true })
    this.element = make('div', { className: 'plot' }, this.canvas, this.readout)
    this.canvas.addEventListener('pointermove', (event) => this.#point(event.offsetX))
    this.canvas.addEventListener('pointerdown', (event) => this.#point(event.offsetX))
    this.canvas.addEventListener('pointerleave', () => this.#point(undefined))
  }

  /** One more value for each line; `limit` 0 is none. */
  add(values, limit = 0) {
    const at = Date.now()
    this.#samples.push({ at, values })
    while (this.#samples[0].at < at - WINDOW_MS) this.#samples.shift()
    this.#limit = limit
    this.draw()
  }

  #point(x) {
    this.#pointer = x
    this.draw()
  }

  /** For when the size or the colours have changed. */
  draw() {
    const { canvas } = this
    const width = canvas.clientWidth
    if (width === 0) return
    const ratio = window.devicePixelRatio || 1
    canvas.width = width * ratio
    canvas.height = HEIGHT * ratio
    const pen = canvas.getContext('2d')
    pen.scale(ratio, ratio)
    pen.font = '10.5px system-ui, sans-serif'
    const style = getComputedStyle(document.documentElement)
    const colour = (name) => style.getPropertyValue(name)

    const last = this.#samples.at(-1)
    const end = last?.at ?? Date.now()
    const most = Math.max(0, ...this.#samples.flatMap(({ values }) => values))
    const showsLimit = this.#limit > 0 && this.#limit <= most * 4
    const top = niceTop(Math.max(most, showsLimit ? this.#limit : 0, 1e-3) * 1.02, this.thousand)
    const span = SPANS.find((length) => end - (this.#samples[0]?.at ?? end) <= length) ?? WINDOW_MS
    const x = (at) => width - ((end - at) / span) * width
    const y = (value) => HEIGHT - 1 - (value / top) * (HEIGHT - TOP)

    pen.strokeStyle = colour('--line')
    pen.lineWidth = 1
    for (const value of [0, top / 2, top]) {
      pen.beginPath()
      pen.moveTo(0, Math.round(y(value)) + 0.5)
      pen.lineTo(width, Math.round(y(value)) + 0.5)
      pen.stroke()
    }
    pen.fillStyle = colour('--dim')
    pen.textBaseline = 'bottom'
    if (most > 0) pen.fillText(this.format(top), 0, y(top) - 1)
    pen.textAlign = 'right'
    pen.fillText(`${span / MINUTE_MS} min`, width, y(top) - 1)
    pen.textAlign = 'left'

    if (showsLimit) {
      pen.strokeStyle = colour('--bad')
      pen.setLineDash([4, 4])
      pen.beginPath()
      pen.moveTo(0, y(this.#limit))
      pen.lineTo(width, y(this.#limit))
      pen.stroke()
      pen.setLineDash([])
    }
    this.keys.forEach((_, line) =>
      this.#drawLine(pen, line, x, y, colour(line === 0 ? '--accent' : '--second')),
    )
    this.#drawPointer(pen, x, y, width, colour)
    this.#describe(most, last)
  }

  #drawLine(pen, line, x, y, colour) {
    pen.strokeStyle = colour
    pen.fillStyle = colour
    pen.lineWidth = 1.6
    pen.lineJoin = 'round'
    // One line may lie exactly upon the other.
    pen.setLineDash(line === 0 ? [] : [5, 3])
    for (const run of this.#runs()) {
      pen.beginPath()
      run.forEach(({ at, values }, n) => {
        if (n === 0) pen.moveTo(x(at), y(values[line]))
        else pen.lineTo(x(at), y(values[line]))
      })
      pen.stroke()
      if (line > 0) continue
      pen.lineTo(x(run.at(-1).at), y(0))
      pen.lineTo(x(run[0].at), y(0))
      pen.closePath()
      pen.globalAlpha = 0.12
      pen.fill()
      pen.globalAlpha = 1
    }
    pen.setLineDash([])
  }

  /** The samples, cut where there was none for a while. */
  #runs() {
    const runs = []
    for (const sample of this.#samples) {
      const run = runs.at(-1)
      if (run === undefined || sample.at - run.at(-1).at > GAP_MS) runs.push([sample])
      else run.push(sample)
    }
    return runs
  }

  #drawPointer(pen, x, y, width, colour) {
    const under = this.#pointer === undefined ? undefined : this.#nearest(x)
    this.readout.hidden = under === undefined
    if (under === undefined) return
    pen.strokeStyle = colour('--dim')
    pen.lineWidth = 1
    pen.beginPath()
    pen.moveTo(x(under.at), TOP)
    pen.lineTo(x(under.at), HEIGHT)
    pen.stroke()
    under.values.forEach((value, line) => {
      pen.fillStyle = colour(line === 0 ? '--accent' : '--second')
      pen.beginPath()
      pen.arc(x(under.at), y(value), 3, 0, 2 * Math.PI)
      pen.fill()
    })
    this.readout.textContent =
      `${new Date(under.at).toLocaleTimeString()}  ` + this.#named(under.values).join('  ')
    const half = this.readout.offsetWidth / 2
    this.readout.style.left = `${Math.min(Math.max(x(under.at) - half, 0), Math.max(0, width - 2 * half))}px`
  }

  #nearest(x) {
    let nearest
    for (const sample of this.#samples)
      if (
        nearest === undefined ||
        Math.abs(x(sample.at) - this.#pointer) < Math.abs(x(nearest.at) - this.#pointer)
      )
        nearest = sample
    return nearest
  }

  #named(values) {
    return values.map(
      (value, line) => `${this.keys.length > 1 ? `${this.keys[line]} ` : ''}${this.format(value)}`,
    )
  }

  /** What there is to see, for those who don't. */
  #describe(most, last) {
    const now = last === undefined ? 'no figures yet' : `now ${this.#named(last.values).join(', ')}`
    const label = `${this.name}, last minutes: ${now}; at most ${this.format(most)}`
    if (this.canvas.getAttribute('aria-label') !== label) this.canvas.setAttribute('aria-label', label)
  }
}
